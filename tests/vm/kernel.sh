#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: kernel.sh SERIES
# Prints the directory of an unpacked stock Debian cloud kernel of that series, fetching the
# newest one when the cache has none or has not looked for a newer one in the last 7 days.
set -eu
. "$(dirname "$0")/lib.sh"

# series, packages that make up a kernel, suites that may have it in the order tried. Security
# suites come first: their kernels are newer, and their index is a thirtieth of the size.
KERNELS='
5.10  image           bullseye-security bullseye
6.1   image           bookworm-security bookworm
6.12  image           trixie-security trixie bookworm-security bookworm-backports
7.2   binary,modules  sid forky
'
MAX_AGE_DAYS=7
# After a failed look the cache serves this long before the next one.
RETRY_MINUTES=60
KEEP=2

usage()
{
	vm_say "usage: ${0##*/} SERIES, one of: $(awk 'NF { printf "%s ", $1 }' <<<"$KERNELS")"
	exit 2
}

complete()
{
	[ -d "$1" ] && vm_vmlinuz "$1" >/dev/null && vm_module "$1" kvm-amd >/dev/null &&
		vm_module "$1" kvm-intel >/dev/null
}

# The kernel which the cache holds, if it is whole.
cached()
{
	local name

	name=$(cat "$home/current" 2>/dev/null) && complete "$home/$name" &&
		printf '%s\n' "$home/$name"
}

fresh()
{
	[ -n "$(find "$home/current" -mtime "-$MAX_AGE_DAYS" 2>/dev/null)" ]
}

tried_lately()
{
	[ -n "$(find "$home/tried" -mmin "-$RETRY_MINUTES" 2>/dev/null)" ]
}

# Versions of the series in the index under $1, newest first, as the package's name spells
# them: 6.12.57+deb13-cloud-amd64.
versions()
{
	vm_apt "$1" apt-cache pkgnames "linux-${parts%%,*}-$series." |
		grep -E -- '^linux-[a-z]+-[0-9.]+[0-9a-z.+-]*-cloud-amd64$' |
		sed -E 's/^linux-[a-z]+-//' | sort -rV
}

# Fetches version $2 from the index under $1, whole or not at all.
fetch_version()
{
	local root=$1 version=$2 part packages=()

	for part in ${parts//,/ }; do
		packages+=("linux-$part-$version")
	done
	rm -rf "$root/unpacked"
	(cd "$root" && vm_apt_loud "$root" apt-get download "${packages[@]}") || return 1
	vm_unpack "$root/unpacked" "$root"/*.deb || return 1
	complete "$root/unpacked" || { vm_say "$version lacks a kernel or its KVM"; return 1; }
	rm -rf "${home:?}/$version"
	mv "$root/unpacked" "$home/$version"
}

# One kernel from one suite. A version may vanish from the mirror between index and download:
# then an older one will do.
fetch_suite()
{
	local suite=$1 root=$2 version

	vm_apt_update "$root" "$suite" || return 1
	for version in $(versions "$root" | head -n 3); do
		if complete "$home/$version" || fetch_version "$root" "$version"; then
			printf '%s\n' "$version" >"$home/current.new" &&
				mv "$home/current.new" "$home/current"
			return
		fi
	done
	vm_say "no kernel of series $series to be had from $suite"
	return 1
}

# A run that started before us may still be reading the kernel we replace, so one old kernel stays.
prune()
{
	local dir

	find "$home" -mindepth 1 -maxdepth 1 -type d -name '*-cloud-amd64*' -printf '%T@ %p\n' |
		sort -rn | tail -n "+$((KEEP + 1))" | while read -r _ dir; do
		[ "${dir##*/}" = "$(cat "$home/current")" ] || rm -rf "$dir"
	done
}

refresh()
{
	local suite root tool

	for tool in apt-get apt-cache dpkg; do
		command -v $tool >/dev/null || { vm_say "$tool is not here to fetch kernels with"; return 1; }
	done
	root=$(mktemp -d "$home/fetch.XXXXXX") || return 1
	scratch=$root
	trap 'rm -rf "$scratch"' EXIT
	for suite in $suites; do
		rm -rf "${root:?}"/*
		if fetch_suite "$suite" "$root"; then
			prune
			return 0
		fi
	done
	return 1
}

[ $# -eq 1 ] || usage
series=$1
row=$(awk -v s="$series" '$1 == s { print; exit }' <<<"$KERNELS")
[ -n "$row" ] || usage
read -r _ parts suites <<<"$row"
vm_need flock find awk timeout
home=$(vm_cache)/kernels/$series
mkdir -p "$home"
if fresh && cached; then
	exit 0
fi
vm_lock "$home/lock"
rm -rf "$home"/fetch.*
if fresh && cached; then
	exit 0
fi
if ! tried_lately || ! cached >/dev/null; then
	if refresh; then
		rm -f "$home/tried"
		cached
		exit 0
	fi
	: >"$home/tried"
fi
cached || vm_die "no kernel $series in the cache and none to be had"
vm_say "no newer kernel $series to be had: using the one of $(date -r "$home/current" +%F)"
