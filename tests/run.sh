#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/run.sh [LANE]...
# Installs what is missing, builds, and runs the usual lanes or those named (lanes/README.md). The
# last line is "N passed, N failed". Logs of lanes with failures stay in build/tests/logs.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
export BUILD
logs=$BUILD/tests/logs
# Seconds for a lane, so that one that hangs cannot hang everything: five times what the slowest
# takes on a machine with two CPUs.
LANE_LIMIT=${LANE_LIMIT:-600}
# In this order: the long ones first, so that no CPU waits at the end.
LANES='host amd-6.1 amd-6.12 amd-5.10 lint unit cli golden'
# Run when asked for.
MORE='amd-7.2'
# It measures how fast the program starts, so it runs before the others, alone.
ALONE=host

say()
{
	printf 'tests: %s\n' "$*" >&2
}

# A lane's program and its arguments.
lane_command()
{
	case $1 in
	amd-*) echo "tests/lanes/amd.sh ${1#amd-}" ;;
	lint | unit) echo "tests/lanes/$1.sh" ;;
	*) echo "python3 -B tests/lanes/$1.py" ;;
	esac
}

# must_run LANE: names of tests that have to appear in its results.
must_run()
{
	case $1 in
	amd-*) awk -v out="not:${1#amd-}" '$2 != out { print $1 }' tests/lanes/amd.list ;;
	unit) tests/lanes/unit.sh --list ;;
	*) cat "tests/lanes/$1.list" ;;
	esac | sed '/^#/d; /^$/d'
}

# There may be no KVM on this machine: the only lane that may say so, and do nothing.
skipped()
{
	[ "$1" = host ] && grep -q '^skip host ' "$logs/host.log"
}

# Tests that should have run and did not: the lane died, or a test was left out.
missing()
{
	local name

	skipped "$1" && return
	while read -r name; do
		grep -qxF -e "ok $1 $name" -e "not ok $1 $name" "$logs/$1.log" ||
			printf 'not ok %s %s\n  did not run\n' "$1" "$name"
	done < <(must_run "$1")
}

run_lane()
{
	local lane=$1 status child

	say "$lane begins"
	# shellcheck disable=SC2046 # a command and its arguments
	timeout -k 10 "$LANE_LIMIT" $(lane_command "$lane") >"$logs/$lane.log" 2>"$logs/$lane.stderr" \
		</dev/null &
	child=$!
	# It has a process group of its own, so nobody else tells it.
	trap 'kill $child; wait $child; exit 143' TERM
	wait $child
	status=$?
	missing "$lane" >>"$logs/$lane.log"
	if [ $status -ne 0 ] && ! grep -q '^not ok ' "$logs/$lane.log"; then
		printf 'not ok %s lane\n  ended with status %s\n' "$lane" "$status" >>"$logs/$lane.log"
	elif ! skipped "$lane" && ! grep -qE '^(ok|not ok) ' "$logs/$lane.log"; then
		printf 'not ok %s lane\n  no test ran in it\n' "$lane" >>"$logs/$lane.log"
	fi
	if grep -q '^not ok ' "$logs/$lane.log"; then
		tail -n 30 "$logs/$lane.stderr" | sed 's/^/  /' >>"$logs/$lane.log"
	fi
	cat "$logs/$lane.log"
	grep -q '^not ok ' "$logs/$lane.log" || rm -f "$logs/$lane.stderr"
}

# Two lanes at a time: an emulated host keeps one CPU busy.
run_lanes()
{
	local lane

	for lane; do
		[ "$lane" != $ALONE ] || run_lane "$lane" &
	done
	wait
	for lane; do
		[ "$lane" != $ALONE ] || continue
		while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
		run_lane "$lane" &
	done
	wait
}

# Lanes do not hear of a Ctrl-C, being in the background.
# shellcheck disable=SC2317 # called by the trap
interrupted()
{
	trap '' INT TERM HUP
	# shellcheck disable=SC2046 # a list
	kill $(jobs -p) 2>/dev/null
	wait
	say "interrupted"
	exit 130
}

count()
{
	grep -c "^$1 " "$2"
}

table()
{
	local lane

	printf '\n%-10s %8s %8s\n' lane passed failed
	for lane; do
		if skipped "$lane"; then
			printf '%-10s %s\n' "$lane" "$(sed -n 's/^skip [^ ]* //p' "$logs/$lane.log")"
			continue
		fi
		printf '%-10s %8s %8s\n' "$lane" "$(count ok "$logs/$lane.log")" \
			"$(count 'not ok' "$logs/$lane.log")"
	done
}

prepare()
{
	tools/deps.sh build test lint || return
	make -j2 all guests unit >"$logs/build.log" 2>&1 && return
	tail -n 30 "$logs/build.log"
	return 1
}

wanted=()
for lane in "${@:-}"; do
	[ -n "$lane" ] || continue
	[[ " $LANES $MORE " == *" $lane "* ]] ||
		{ say "no lane $lane; there are: $LANES $MORE"; exit 2; }
	wanted+=("$lane")
done
if [ ${#wanted[@]} -eq 0 ]; then
	read -ra wanted <<<"$LANES"
fi
trap interrupted INT TERM HUP
mkdir -p "$logs"
rm -rf "${logs:?}"/*
if ! prepare; then
	say "cannot build"
	echo "0 passed, 1 failed"
	exit 1
fi
run_lanes "${wanted[@]}"
table "${wanted[@]}"
passed=0 failed=0
for lane in "${wanted[@]}"; do
	passed=$((passed + $(count ok "$logs/$lane.log")))
	failed=$((failed + $(count 'not ok' "$logs/$lane.log")))
done
printf '%s passed, %s failed\n' $passed $failed
[ $failed -eq 0 ]
