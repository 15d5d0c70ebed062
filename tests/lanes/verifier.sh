#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/lanes/verifier.sh [--write]
# On each emulated AMD host the verifier has to accept every program, as each clang compiles it, at no
# more cost than tests/verifier/baseline.txt says. --write makes the costs of today the baseline.
set -u
BUILD=${BUILD:-build}
export BUILD
out=$BUILD/tests/verifier
SERIES='5.10 6.1 6.12 7.2'

# What the job needs in the host: objects of the clangs that this machine has, none left from others.
files()
{
	local clang

	printf '%s\n' tests/verifier/job.sh "$out/verify" "$out/selftest.bpf.o"
	for clang in clang-14 clang-19; do
		! command -v $clang >/dev/null || printf '%s\n' "$out/$clang.bpf.o" "$out/$clang-cast.bpf.o"
	done
}

boot()
{
	local series=$1 host=$out/amd-$1 begin=$SECONDS adds=() file

	while read -r file; do adds+=(--add "$file"); done < <(files)
	rm -rf "${host:?}"
	mkdir -p "$host"
	tests/vm/run.sh --series "$series" --timeout 100 --out "$host" "${adds[@]}" \
		-- '. /w/job.sh' >"$host/boot.log" 2>&1
	echo "boot $series: status $?, $((SECONDS - begin)) s" >&2
	tail -n 20 "$host/boot.log" "$host"/verifier.err >&2
}

status=0
selftests=()
timeout -k 5 300 make -s verifier >&2 || exit
for series in $SERIES; do
	boot "$series"
	if [ "${1:-}" = --write ]; then
		python3 -B tests/verifier/check.py --write "amd-$series" \
			"$out/amd-$series/verifier.txt" || status=1
	else
		python3 -B tests/verifier/check.py "amd-$series" "$out/amd-$series/verifier.txt"
	fi
	selftests+=("amd-$series=$out/amd-$series/selftest.txt")
done
[ "${1:-}" = --write ] || python3 -B tests/verifier/selftest.py "${selftests[@]}"
exit $status
