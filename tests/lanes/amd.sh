#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/lanes/amd.sh SERIES
# Boots emulated AMD hosts with a stock kernel of that series, runs micro-guests under kvmtrace
# there (amd/job_*.sh) and compares what it said with guests, perf and tracefs (amd/check.py).
set -u
series=$1
BUILD=${BUILD:-build}
out=$BUILD/tests/amd-$series
JOBS='main smp npt'

options()
{
	case $1 in
	main) echo --icount --timeout 400 ;;
	smp) echo --smp 2 --timeout 60 ;;
	npt) echo --param kvm-amd.npt=0 --timeout 60 ;;
	esac
}

boot()
{
	local job=$1 adds=() file begin=$SECONDS

	for file in tests/lanes/amd/*.sh "$BUILD"/tests/guest/g_* "$BUILD/kvmtrace"; do
		[[ $file == *.d ]] || adds+=(--add "$file")
	done
	rm -rf "${out:?}/$job"
	mkdir -p "$out/$job"
	# shellcheck disable=SC2046 # options
	tests/vm/run.sh --series "$series" --mem 2048 --perf $(options "$job") \
		--out "$out/$job" "${adds[@]}" -- "exec sh /w/job_$job.sh" >"$out/$job.log" 2>&1
	echo "boot $job: status $?, $((SECONDS - begin)) s" >&2
	tail -n 20 "$out/$job.log" >&2
}

mkdir -p "$out"
for job in $JOBS; do
	boot "$job"
done
exec python3 -B tests/lanes/amd/check.py "amd-$series" "$out"
