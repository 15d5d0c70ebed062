# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lane, JOBS and options come from amd.sh and intel.sh
# Boots emulated hosts with a stock kernel of a series, runs micro-guests under kvmtrace there
# (job_*.sh) and compares what it said with guests, perf and tracefs (check.py). Sourced.
BUILD=${BUILD:-build}
folder=tests/lanes/emulated
out=$BUILD/tests/$lane

boot()
{
	local job=$1 adds=() file begin=$SECONDS

	for file in "$folder"/job_*.sh "$folder/lib.sh" "$BUILD"/tests/guest/g_* "$BUILD/kvmtrace"; do
		[[ $file == *.d ]] || adds+=(--add "$file")
	done
	if [ -n "${verifier:-}" ]; then
		for file in tests/verifier/job.sh "$BUILD/tests/verifier/verify" \
			"$BUILD"/tests/verifier/*.bpf.o; do
			adds+=(--add "$file")
		done
	fi
	rm -rf "${out:?}/$job"
	mkdir -p "$out/$job"
	options=()
	options_of "$job"
	tests/vm/run.sh --series "${lane#*-}" --perf "${options[@]}" --out "$out/$job" \
		"${adds[@]}" -- "exec sh /w/job_$job.sh" >"$out/$job.log" 2>&1
	echo "boot $job: status $?, $((SECONDS - begin)) s" >&2
	tail -n 20 "$out/$job.log" >&2
}

mkdir -p "$out"
for job in $JOBS; do
	boot "$job"
done
python3 -B "$folder/check.py" "$lane" "$out"
# Where the lane of the verifier doesn't come.
[ -z "${verifier:-}" ] || python3 -B tests/verifier/check.py --test "$lane verifier" "$lane" \
	"$out/main/verifier.txt"
