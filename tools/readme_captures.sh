#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tools/readme_captures.sh [SERIES]
# Prints the terminal captures that README.md shows: each command on a terminal of 100 columns, on
# an emulated host, watching test guests. Only the histograms of exits are cut: the first one stays.
set -euo pipefail
cd "$(dirname "$0")/.."
series=${1:-6.12}
build=${BUILD:-build}

# Runs in an empty directory under busybox. Guests wait until kvmtrace is ready.
# shellcheck disable=SC2016 # expanded there
JOB='
on_terminal()
{
	COLUMNS=100 script -qfc "kvmtrace $*" /dev/null </dev/null
}
guest()
{
	g=$1
	shift
	"g_$g" --wait-file go "$@" >"$g.log" 2>&1 &
}
# show FILTER ARGUMENT…
show()
{
	filter=$1
	shift
	echo
	echo "\$ kvmtrace $*"
	: >shown
	on_terminal "$@" >shown &
	tracer=$!
	tries=0
	until grep -q ": tracing" shown || [ $tries -ge 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	: >go
	wait $tracer
	tr -d "\r" <shown | $filter
	wait
	rm -f go
}
first_histogram()
{
	awk "/^[^ ].*: [0-9]+ exits\$/ { n++ } n == 2 { print \"...\"; print \"\"; n = 3 }
		n < 2 || / exits in / { print }"
}
guest misbehave --name win11 -n 2 --rate 40
guest pf --name debian12 -n 1
show cat exceptions -d 2
guest misbehave --name win11 -n 400 --rate 400
guest hlt --name debian12 -n 200 --timer-us 10000
show first_histogram exits --hist -d 4
guest npf --name debian12 -n 1
show cat faults -d 2
guest npf --name debian12 -n 8
show cat faults --hist --top 6 -d 2
: >go
guest misbehave --name win11 -n 1 --hold 4
guest smp --name debian12 --vcpus 4 --hold 4
sleep 2
echo
echo "\$ kvmtrace vms"
on_terminal vms | tr -d "\r"
wait
rm -f go
guest misbehave --name win11 -n 20 --rate 40
show cat record -o win11.kvmtrace -d 2
echo
echo "\$ kvmtrace report win11.kvmtrace"
on_terminal report win11.kvmtrace | tr -d "\r"
echo
echo "\$ kvmtrace report win11.kvmtrace events"
echo "..."
kvmtrace report win11.kvmtrace events | awk "!n && /exit MSR/ { n = 1 } n && n++ < 13"
echo "..."
'

adds=(--add "$build/kvmtrace" --add "$(command -v script)")
for guest in misbehave pf hlt npf smp; do
	adds+=(--add "$build/tests/guest/g_$guest")
done
timeout --foreground -k 10 300 tests/vm/run.sh --series "$series" --timeout 120 "${adds[@]}" -- "$JOB" |
	sed 's/.*\x1b\[K//; s/\x1b\[[0-9;]*m//g'
