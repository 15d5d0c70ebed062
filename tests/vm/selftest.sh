#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: selftest.sh [--intel] [SERIES]
# Tests the emulated hosts themselves: what run.sh promises, in 20 boots or so.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
hosts=() flag=svm vendor=kvm_amd nested=npt emulator=qemu-system bytes=20000000
if [ "${1:-}" = --intel ]; then
	hosts=(--intel) flag=vmx vendor=kvm_intel nested=ept emulator=script
	bytes=200000 # its serial lines are slow
	shift
fi
series=${1:-6.1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
mkdir "$work/tmp"
export TMPDIR=$work/tmp

run()
{
	local status=0

	timeout -k 10 400 "$here/run.sh" "${hosts[@]}" --series "$series" "$@" </dev/null \
		>"$work/stdout" 2>"$work/stderr" || status=$?
	return $status
}

# shellcheck disable=SC2317 # called through verdict
# matches PATTERN FILE: no pattern stands for an empty file.
matches()
{
	if [ -n "$1" ]; then grep -qE -- "$1" "$2"; else [ ! -s "$2" ]; fi
}

# check NAME STATUS PATTERN-OF-STDOUT PATTERN-OF-STDERR ARGUMENT…
check()
{
	local name=$1 want=$2 out=$3 err=$4 status=0

	shift 4
	run "$@" || status=$?
	verdict "$name" "status $status, not $want" [ "$status" -eq "$want" ]
	verdict "$name" "stdout is not '$out'" matches "$out" "$work/stdout"
	verdict "$name" "stderr is not '$err'" matches "$err" "$work/stderr"
}

# verdict NAME COMPLAINT COMMAND…
verdict()
{
	local name=$1 complaint=$2

	shift 2
	if "$@"; then return 0; fi
	printf 'FAILED %s: %s\n' "$name" "$complaint" >&2
	sed 's/^/    /' "$work/stderr" | head -n 50 >&2
	failed=1
}

nothing_left()
{
	verdict "nothing is left" "$(ls -A "$TMPDIR")" [ -z "$(ls -A "$TMPDIR")" ]
}

statuses()
{
	check true 0 '' '' -- true
	check "status of shell code" 7 "^$flag\$" '^words$' -- \
		"grep -o -m 1 -w $flag /proc/cpuinfo; echo words >&2; exit 7"
	check "death by signal" 137 '' '' -- 'kill -9 $$'
	check "words stay words" 0 "^a b\\|it's\\|\\\$x\\|\\|\$" '' -- printf '%s|' 'a b' "it's" "\$x" ''
	# shellcheck disable=SC2016 # for the shell inside
	check environment 0 "^it's \\\$x\$" '' --env "A=it's \$x" -- 'echo "$A"'
	check "no such command" 127 '' 'not found' -- nosuch a
	check "no command" 125 '' 'no command' --
	check "bad option" 125 '' 'unknown option' --nosuch 1 -- true
	check "two CPUs counting" 125 '' 'one CPU' --smp 2 --icount -- true
	check "bad series" 125 '' '6\.12' --series 1.0 -- true
	check "missing file" 125 '' 'no such file' --add /nosuch -- true
	check "module parameters" 0 '^[N0] [Y1]$' '' --param $vendor.$nested=0 \
		--param kvm.ignore_msrs=1 -- \
		"cd /sys/module; echo \$(cat $vendor/parameters/$nested kvm/parameters/ignore_msrs)"
	check "unknown module parameter" 125 '' 'kvm has no parameter nosuch' --param kvm.nosuch=1 -- true
	check "unknown module" 125 '' 'param wants' --param kwm.npt=0 -- true
	check "wrong module parameter" 125 '' "cannot load ${vendor/_/-}" \
		--param "${vendor/_/-}.$nested=banana" -- true
	[ $flag = vmx ] || check "two CPUs" 0 '^2$' '' --smp 2 -- nproc
}

ends()
{
	check "command's time-out" 125 '^early$' 'killed after 2 s' --timeout 2 -- \
		'trap "" TERM; echo early; sleep 1000; sleep 1000'
	[ $flag = vmx ] || check "virtual time-out" 125 '' 'killed after 30 s' --icount \
		--timeout 30 -- 'sleep 1000'
	check panic 125 '^before$' 'run.sh: .*: Kernel panic - .*sysrq triggered crash' -- \
		'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 100'
	# There the boot loader waits for somebody to change the CD: five minutes for the same end.
	[ $flag = vmx ] || check "no room to boot" 125 '' 'died' --mem 48 -- true
	check "daemon left behind" 0 '^done$' '' -- 'setsid sleep 1000 & echo done'
	check "output at its end" 3 '^xxx' '' -- \
		"head -c $((bytes / 20)) /dev/zero | tr '\0' x; exit 3"
	verdict "output at its end" "it is not whole" [ "$(wc -c <"$work/stdout")" -eq $((bytes / 20)) ]
}

data()
{
	local status=0

	head -c $bytes /dev/urandom >"$work/a b"
	run --add "$work/a b" --add "$work/a b:/etc/x" --out "$work/out" -- \
		'cat "a b"; cat /etc/x >&2; mkdir /out/d; cp "a b" /out/d/; ln -s d /out/l' || status=$?
	verdict data "status $status" [ $status -eq 0 ]
	verdict data "stdout differs" cmp "$work/a b" "$work/stdout"
	verdict data "stderr differs" cmp "$work/a b" "$work/stderr"
	verdict data "file differs" cmp "$work/a b" "$work/out/l/a b"
	: >"$work/stderr"
	check "files after a time-out" 125 '' 'killed after' --timeout 1 --out "$work/late" -- \
		'echo kept >/out/f; sleep 1000'
	verdict "files after a time-out" "no file" grep -qx kept "$work/late/f"
	check "a program's libraries" 0 'bash, version' '' --add "$(command -v bash)" -- \
		bash --version
}

same_image()
{
	local kernel i

	kernel=$("$here/kernel.sh" "$series")
	for i in 1 2; do
		"$here/initramfs.sh" "$kernel" "$work/image$i" --add "$(command -v bash)"
		sleep 1
	done
	verdict "same image" "two images differ" cmp "$work/image1" "$work/image2"
}

# Ends run.sh in the middle of a run: neither emulator nor files may be left.
interrupted()
{
	local signal=$1 want=$2 status=0 pid left

	# An idle Bochs sleeps a thousand seconds in a few.
	env --default-signal=INT "$here/run.sh" "${hosts[@]}" --series "$series" --timeout 100000 \
		-- 'echo up; sleep 100000' >"$work/stdout" 2>"$work/stderr" &
	pid=$!
	for _ in $(seq 300); do grep -qs up "$work/stdout" && break; sleep 0.2; done
	left=$(pgrep -P "$pid" "$emulator")
	verdict "ended by $signal" "no emulator to end" [ -n "$left" ]
	# Bochs is script's child.
	left+=" $(pgrep -P "$left" || :)"
	kill "-$signal" "$pid"
	wait "$pid" 2>/dev/null || status=$?
	verdict "ended by $signal" "status $status" [ "$status" -eq "$want" ]
	# shellcheck disable=SC2086 # a list
	for _ in $(seq 30); do kill -0 $left 2>/dev/null || break; sleep 0.1; done
	verdict "ended by $signal" "the emulator lives" eval "! kill -0 $left 2>/dev/null"
	[ "$signal" = KILL ] || nothing_left
	rm -rf "${TMPDIR:?}"/*
}

two_at_once()
{
	local pids=() i status=0

	for i in 1 2 3; do
		"$here/run.sh" "${hosts[@]}" --series "$series" -- "echo $i" >"$work/lane$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || status=1; done
	verdict "three at once" "$(cat "$work"/lane?)" [ "$status$(cat "$work"/lane?)" = $'01\n2\n3' ]
}

reader_gone()
{
	local status

	{
		"$here/run.sh" "${hosts[@]}" --series "$series" -- 'while :; do echo y; done' 2>"$work/stderr" ||
			echo $? >"$work/status"
	} | head -n 1 >"$work/stdout"
	status=$(cat "$work/status")
	verdict "reader gone" "status $status" [ "$status" -eq 141 ]
}

statuses
ends
data
nothing_left
same_image
interrupted INT 130
interrupted TERM 143
interrupted KILL 137
two_at_once
reader_gone
nothing_left
[ $failed -eq 0 ] && echo "emulated hosts: all well on $series"
exit $failed
