# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# What the scripts of tests/vm share: messages, the cache, and packages of Debian suites which
# this machine need not run. Sourced, never run.

vm_say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# vm_failure is the exit status of a script that cannot do its work.
vm_die()
{
	vm_say "$@"
	exit "${vm_failure:-1}"
}

vm_need()
{
	local tool

	for tool; do
		command -v "$tool" >/dev/null || vm_die "needs $tool, which is not installed"
	done
}

vm_cache()
{
	realpath -m -- "${KVMTRACE_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/kvmtrace}"
}

# Takes the lock FILE for the rest of this (sub)shell's life. Another lane may be fetching the
# same kernel: wait for it, but not for ever.
vm_lock()
{
	exec 9>"$1"
	flock -w 900 9 || vm_die "$1 is still locked by another run after 15 minutes"
}

# The Debian sources of the system, a line URI SUITE each; others' archives are left out by the
# names of their suites. Works without an index as well, where only apt's settings are there.
vm_apt_sources()
{
	local suites='bullseye|bookworm|trixie|forky|duke|sid|unstable|testing|(old)*stable'

	apt-get -o Debug::NoLocking=1 --print-uris update 2>/dev/null |
		sed -n "s|^'\(.*\)/dists/\([^/]*\)/InRelease'.*|\1 \2|p" |
		grep -E " ($suites)(-security|-updates)?\$"
}

# The URI which the system itself fetches from: of its security archive for a suite of that
# kind, else of its main archive. So a mirror chosen by the system's owner serves us too.
vm_apt_uri()
{
	local kind='[a-z]*$'

	case $1 in *-security) kind='.*-security$' ;; esac
	vm_apt_sources | grep -m 1 " $kind" | cut -d ' ' -f 1 | grep .
}

# vm_apt ROOT COMMAND…: runs an apt tool on the private index under ROOT; the system's own lists,
# cache and package state are neither read nor written. Retries and time are bounded.
vm_apt()
{
	local root=$1

	shift
	timeout -k 10 300 "$1" -q -o APT::Sandbox::User="$(id -un)" \
		-o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$root" -o Dir::State::Lists="$root/lists" \
		-o Dir::State::status="$root/status" -o Dir::Cache="$root" \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
		-o Acquire::Languages=none "${@:2}"
}

# vm_apt_loud ROOT COMMAND…: the same without its chatter: only what went wrong is shown.
vm_apt_loud()
{
	local out

	out=$(vm_apt "$@" 2>&1) && return 0
	vm_say "${*:2} failed:"
	printf '%s\n' "$out" | grep -E '^(E|W|Err)' | head -n 5 >&2
	return 1
}

# vm_apt_update ROOT SUITE…: makes ROOT an index of these suites.
vm_apt_update()
{
	local root=$1 suite uri signed='' keys=/usr/share/keyrings/debian-archive-keyring.gpg

	shift
	mkdir -p "$root/lists/partial" "$root/archives/partial" || return 1
	: >"$root/status"
	: >"$root/sources.list"
	[ ! -r $keys ] || signed=" signed-by=$keys"
	for suite; do
		uri=$(vm_apt_uri "$suite") ||
			{ vm_say "no source of this system could have $suite"; return 1; }
		printf 'deb [arch=amd64%s] %s %s main\n' "$signed" "$uri" "$suite" \
			>>"$root/sources.list"
	done
	vm_apt_loud "$root" apt-get update --error-on=any
}

# vm_unpack DIR DEB…: unpacks packages into DIR and removes them.
vm_unpack()
{
	local dir=$1 deb

	shift
	mkdir -p "$dir" || return 1
	for deb; do
		dpkg -x "$deb" "$dir" || return 1
		rm -f "$deb"
	done
}

# The kernel image, and a module by name, of an unpacked kernel: Debian moved both between
# series (boot/vmlinuz-V, lib/modules/V, since 6.12 of trixie usr/lib/modules/V, 7.x
# usr/lib/modules/V/vmlinuz).
vm_vmlinuz()
{
	find "$1" -name 'vmlinuz*' -type f -print -quit | grep .
}

vm_module()
{
	find "$1" \( -name "$2.ko" -o -name "$2.ko.xz" \) -type f -print -quit | grep .
}
