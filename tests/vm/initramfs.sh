#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: initramfs.sh KERNEL_DIR OUT [--vendor MODULE] [--root DIR] [--add FILE[:PATH]]…
# Writes the initramfs of an emulated host to OUT: busybox and the modules of the kernel unpacked
# in KERNEL_DIR, kept there once made, then what this run adds. A program brings the libraries
# that ldd lists for it; those this machine lacks may lie under DIR. Without a PATH a file goes to
# /w, the job's working directory and the first of its PATH. The same input gives the same bytes.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

# In loading order. Those marked ? are built in, or not there, in some series.
MODULES='?virtio_ring ?virtio ?virtio_pci_legacy_dev ?virtio_pci_modern_dev ?virtio_pci
?virtio_console irqbypass ?ccp kvm'

# pack DIR: the tree as a cpio archive, alike whoever owns it and whenever it was made.
pack()
{
	(
		cd "$1"
		find . -exec touch -h -d @0 {} +
		find . -mindepth 1 -print0 | LC_ALL=C sort -z |
			cpio -0 -o -H newc -R 0:0 --reproducible --quiet
	)
}

libraries()
{
	local out dirs=

	[ -z "$root" ] || dirs=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
	# ldd fails for what is no dynamic program, which needs nothing then.
	out=$(LD_LIBRARY_PATH=$dirs ldd "$1" 2>/dev/null) || return 0
	if grep -q 'not found' <<<"$out"; then
		vm_die "$1 lacks libraries: $(awk '/not found/ { printf "%s ", $1 }' <<<"$out")"
	fi
	awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 != "=>" { print $1 }' <<<"$out"
}

is_elf()
{
	[ "$(head -c 4 "$1" | tr -d '\0')" = $'\177ELF' ]
}

# put FILE PATH TREE: copies a file or folder, and the libraries of the programs in it.
put()
{
	local file=$1 to=$3/${2#/} tree=$3 program lib path

	case $file in -*) file=./$file ;; esac
	[ -e "$file" ] || vm_die "$file: no such file"
	mkdir -p "${to%/*}"
	cp -rL --no-preserve=mode,ownership "$file" "$to"
	while IFS= read -r -d '' program; do
		chmod 755 "$to${program#"$file"}"
		is_elf "$program" || continue
		libraries "$program" >>"$tree.libs"
	done < <(find -L "$file" -type f -perm /111 -print0)
	[ -s "$tree.libs" ] || return 0
	sort -u "$tree.libs" | while IFS= read -r lib; do
		path=$tree${lib#"$root"}
		[ -e "$path" ] || install -D "$lib" "$path"
	done
	# The loader finds libraries outside its default folders by this index.
	[ ! -r /etc/ld.so.cache ] || install -D -m 644 /etc/ld.so.cache "$tree/etc/ld.so.cache"
}

module()
{
	local name=${1#\?} tree=$2 file

	file=$(vm_module "$kernel" "$name") || {
		[ "$name" != "$1" ] || vm_die "$kernel has no module $name"
		return 0
	}
	case $file in
	*.xz) xz -dc "$file" >"$tree/modules/$name.ko" ;;
	*) cp "$file" "$tree/modules/$name.ko" ;;
	esac
	printf '%s\n' "$name" >>"$tree/modules/order"
}

base_tree()
{
	local tree=$1 applet name

	mkdir -p "$tree"/{bin,sbin,dev,etc,modules,out,proc,root,run,sys,tmp,usr/bin,usr/sbin,w}
	put "$busybox" /bin/busybox "$tree"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
	done
	for name in $MODULES $vendor; do
		module "$name" "$tree"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$tree/etc/passwd"
	printf 'root:x:0:\n' >"$tree/etc/group"
}

# The kernel's part, named after all that went into it.
base()
{
	local key cpio

	# Should the cache be full or not ours to write, it is made anew each time.
	key=$(cat "$here/initramfs.sh" "$busybox" - <<<"$vendor" | sha256sum | cut -c 1-16)
	cpio=$kernel/initramfs-$key.cpio
	if [ ! -s "$cpio" ]; then
		base_tree "$work/base"
		pack "$work/base" >"$work/base.cpio"
		if cp "$work/base.cpio" "$cpio.$$" && mv "$cpio.$$" "$cpio"; then
			find "$kernel" -maxdepth 1 -name 'initramfs-*' -mtime +7 -delete
		else
			rm -f "$cpio.$$"
			cpio=$work/base.cpio
		fi 2>/dev/null
	fi
	cat "$cpio"
}

[ $# -ge 2 ] || vm_die "usage: ${0##*/} KERNEL_DIR OUT [--vendor MODULE] [--root DIR] [--add FILE[:PATH]]..."
kernel=$1
out=$2
root=
vendor=kvm-amd
shift 2
vm_need cpio xz ldd busybox sha256sum
busybox=$(command -v busybox)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/ours"
put "$here/init" /init "$work/ours"
while [ $# -ge 2 ]; do
	case $1,$2 in
	--vendor,*) vendor=$2 ;;
	--root,*) root=$2 ;;
	--add,*:/*) put "${2%:/*}" "/${2##*:/}" "$work/ours" ;;
	--add,*) put "$2" "/w/$(basename -- "$2")" "$work/ours" ;;
	*) break ;;
	esac
	shift 2
done
[ $# -eq 0 ] || vm_die "unknown argument: $1"
base >"$out"
pack "$work/ours" >>"$out"
