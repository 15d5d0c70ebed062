#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Prints the path of a perf that runs inside an emulated host: the machine's own, else the one of
# its distribution's linux-perf package, fetched into the cache. In that case a second line names
# the folder under which the libraries lie that this machine lacks.
set -eu
. "$(dirname "$0")/lib.sh"

# A distribution's /usr/bin/perf may be a script that looks for one built for the running kernel.
usable()
{
	[ "$(head -c 4 "$1" 2>/dev/null | tr -d '\0')" = $'\177ELF' ]
}

# perf and all that it needs and this machine has not, which is for apt to know: so the machine's
# package state is read here, though not changed.
fetch()
{
	local root=$1 suites

	mapfile -t suites < <(vm_apt_sources | cut -d ' ' -f 2)
	[ ${#suites[@]} -gt 0 ] || { vm_say "no Debian source to fetch linux-perf from"; return 1; }
	vm_apt_update "$root" "${suites[@]}" || return 1
	cp /var/lib/dpkg/status "$root/status" || return 1
	vm_apt_loud "$root" apt-get install -y --download-only --no-install-recommends \
		-o Debug::NoLocking=1 linux-perf || return 1
	vm_unpack "$root/unpacked" "$root"/archives/*.deb || return 1
	usable "$root/unpacked/usr/bin/perf" || { vm_say "linux-perf brings no perf"; return 1; }
	rm -rf "$home/root"
	mv "$root/unpacked" "$home/root"
}

own=$(command -v perf || :)
if usable "$own"; then
	printf '%s\n' "$own"
	exit 0
fi
vm_need flock apt-get dpkg timeout
home=$(vm_cache)/perf
mkdir -p "$home"
vm_lock "$home/lock"
if ! usable "$home/root/usr/bin/perf"; then
	scratch=$(mktemp -d "$home/fetch.XXXXXX")
	trap 'rm -rf "$scratch"' EXIT
	fetch "$scratch" || vm_die "no perf to be had: install linux-perf"
fi
printf '%s\n' "$home/root/usr/bin/perf" "$home/root"
