#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tools/deps.sh [build|demo|test|bench|lint]...
# Installs what building (the default), the demo, the tests or the checks of the sources need and
# this machine lacks. On other systems than Debian's it says what is missing.
set -eu
me=deps
. "$(dirname "$0")/progress.sh"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# What needs it, Debian's package, what proves that it is here: a program, a C header or a file.
# Debian marks as essential what is not listed, such as util-linux. Releases of Debian that lack a
# package marked ? do without.
NEEDS='
build  gcc              gcc
build  make             make
build  clang            clang
build  bpftool          bpftool
build  libc6-dev        linux/kvm.h
build  libbpf-dev       bpf/libbpf.h
build  libelf-dev       libelf.h
build  libjansson-dev   jansson.h
build  zlib1g-dev       zlib.h
build  libzstd-dev      zstd.h
host   qemu-system-x86  qemu-system-x86_64
host   busybox-static   busybox
host   cpio             cpio
host   xz-utils         xz
intel  bochs            bochs
intel  bochs-term       /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so
intel  bochsbios        /usr/share/bochs/BIOS-bochs-latest
intel  vgabios          /usr/share/vgabios/vgabios.bin
intel  isolinux         /usr/lib/ISOLINUX/isolinux.bin
intel  syslinux-common  /usr/lib/syslinux/modules/bios/ldlinux.c32
intel  xorriso          xorriso
test   libcmocka-dev    cmocka.h
test   babeltrace2      babeltrace2
test   libbabeltrace2-0 /usr/lib/x86_64-linux-gnu/libbabeltrace2-ctf-writer.so.0
test   protobuf-compiler protoc
test   nodejs           node
test   npm              npm
test   ?clang-14        clang-14
test   ?clang-19        clang-19
bench  python3          python3
bench  linux-perf       perf
bench  trace-cmd        trace-cmd
bench  bpftrace         bpftrace
bench  bpfcc-tools      kvmexit-bpfcc
bench  valgrind         valgrind
lint   git              git
lint   python3          python3
lint   clang-format     clang-format
lint   shellcheck       shellcheck
lint   codespell        codespell
'

# Which rows of the table a purpose takes.
rows_of()
{
	case $1 in
	build) echo build ;;
	demo) echo build host ;;
	test) echo build host intel test ;;
	bench) echo build host bench ;;
	lint) echo lint ;;
	*)
		sed -n 's/^# Usage:/usage:/p' "$0" >&2
		exit 2
		;;
	esac
}

# wanted PURPOSE…: packages and proofs.
wanted()
{
	local purpose rows=''

	for purpose; do
		rows+=" $(rows_of "$purpose")" || return
	done
	awk -v rows="$rows " 'NF == 3 && index(rows, " " $1 " ") { print $2, $3 }' <<<"$NEEDS"
}

installed()
{
	# shellcheck disable=SC2016 # dpkg's variables; it complains of packages it never heard of
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
		sed -n 's/ installed$//p'
}

# A program of the user's own serves as well as a package.
here()
{
	case $1 in
	*.h) printf '#include <stddef.h>\n#include <stdint.h>\n#include <stdarg.h>
#include <setjmp.h>\n#include <%s>\n' "$1" | "${CC:-cc}" -E -o /dev/null -x c - 2>/dev/null ;;
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# Reads packages and proofs, prints those not here.
missing()
{
	local rows row have='' names package proof

	mapfile -t rows
	names=("${rows[@]%% *}")
	if command -v dpkg-query >/dev/null; then
		have=$(installed "${names[@]#\?}" || :)
	fi
	for row in "${rows[@]}"; do
		read -r package proof <<<"$row"
		[[ $'\n'$have$'\n' == *$'\n'"${package#\?}"$'\n'* ]] || here "$proof" ||
			printf '%s\n' "$row"
	done
}

# Does apt know where packages come from, and that there is none of this name? Without apt: there is none.
unheard_of()
{
	command -v apt-cache >/dev/null || return 0
	apt-cache policy | grep -E '^ +-?[0-9]+ [a-z]+:' >/dev/null &&
		[ -z "$(apt-cache madison "$1" 2>/dev/null)" ]
}

# Reads packages and proofs, prints them without those marked ? that there are none of.
obtainable()
{
	local package proof

	while read -r package proof; do
		[[ $package == '?'* ]] && unheard_of "${package#\?}" && continue
		printf '%s %s\n' "${package#\?}" "$proof"
	done
}

# Sets packages and proofs.
look()
{
	local list

	list=$(missing <<<"$table" | obtainable)
	packages=() proofs=()
	[ -z "$list" ] || {
		mapfile -t packages < <(cut -d ' ' -f 1 <<<"$list")
		mapfile -t proofs < <(cut -d ' ' -f 2 <<<"$list")
	}
}

apt()
{
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive timeout --foreground 1800 apt-get -y -q \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@"
}

# How to become root: root is the words that begin such a command.
become_root()
{
	root=()
	[ "$(id -u)" -ne 0 ] || return 0
	root=(sudo)
	command -v sudo >/dev/null || return 1
	sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

table=$(wanted "${@:-build}") || exit
look
[ ${#packages[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	die "missing here: ${proofs[*]} (in Debian's packages ${packages[*]})"
fi
become_root || die "please install by hand, as root: apt-get install ${packages[*]}"
quietly "asking what packages there are" apt update ||
	say "not all package lists could be had; trying with those that are here"
look
[ ${#packages[@]} -gt 0 ] || exit 0
quietly "installing ${packages[*]}" apt install --no-install-recommends "${packages[@]}" ||
	die "please install by hand: ${packages[*]}"
