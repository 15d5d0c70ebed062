#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Takes the BTF out of an unpacked kernel package, for tools/vmlinux.py.
#
# usage: tools/extract_btf.sh KERNEL-DIR OUT-DIR
#
# KERNEL-DIR is what tests/vm/kernel.sh prints. OUT-DIR gets vmlinux, kvm, kvm_amd, kvm_intel, as
# /sys/kernel/btf has them on a host that runs that kernel.
set -eu

[ $# -eq 2 ] || { sed -n '5p' "$0" >&2; exit 2; }
kernel=$1 out=$2
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bzImage is a small loader with the compressed kernel behind it: find where the stream begins.
unpack() { # IMAGE MAGIC-REGEX DECOMPRESSOR…
	local image=$1 magic=$2 offset
	shift 2
	LC_ALL=C grep -abPo "$magic" "$image" | cut -d: -f1 | while read -r offset; do
		tail -c +$((offset + 1)) "$image" | "$@" >"$work/vmlinux" 2>/dev/null || true
		if readelf -S "$work/vmlinux" 2>/dev/null | grep -q '\.BTF '; then
			break
		fi
	done
	readelf -S "$work/vmlinux" 2>/dev/null | grep -q '\.BTF '
}

section() { # ELF OUT: the bytes of .BTF
	local offset size
	read -r offset size < <(readelf -SW "$1" | sed -n 's/.* \.BTF  *PROGBITS  *[0-9a-f]* \([0-9a-f]*\) \([0-9a-f]*\).*/\1 \2/p')
	tail -c +$((16#$offset + 1)) "$1" | head -c $((16#$size)) >"$2" || true
}

image=$(find "$kernel" -name 'vmlinuz*' -type f | head -n 1)
unpack "$image" '\xfd7zXZ\x00' xz -dc ||
	unpack "$image" '\x28\xb5\x2f\xfd' zstd -dc ||
	unpack "$image" '\x02\x21\x4c\x18' lz4 -dc ||
	unpack "$image" '\x1f\x8b\x08' gzip -dc ||
	{ echo "extract_btf.sh: no BTF in $image" >&2; exit 1; }
section "$work/vmlinux" "$out/vmlinux"

for module in kvm kvm-amd kvm-intel; do
	file=$(find "$kernel" -name "$module.ko*" | head -n 1)
	case $file in
	*.xz) xz -dc "$file" >"$work/module" ;;
	*) cp "$file" "$work/module" ;;
	esac
	section "$work/module" "$out/${module//-/_}"
done
ls -l "$out"
