#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/run.sh [LANE]...
# Installs what is missing, builds, and runs all lanes or those named (lanes/README.md). At the end
# stand a table of tests by hosts, the totals of the other lanes, what failed, and "N passed, N failed".
# Logs of lanes with failures stay in build/tests/logs.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
export BUILD
logs=$BUILD/tests/logs
# Seconds for a lane, so that one that hangs cannot hang everything: three times what the slowest takes on
# a machine with two CPUs. It is bounded for CI, too, which has more.
LANE_LIMIT=${LANE_LIMIT:-1200}
# Lanes whose tests make the columns of the table, in its order; and the other ones.
HOSTS='amd-5.10 amd-6.1 amd-6.12 amd-7.2 intel-6.1 intel-7.2 host'
OTHERS='verifier bench lint unit cli golden export'
# The long ones first, so that no CPU waits at the end.
LANES="host intel-6.1 intel-7.2 amd-6.1 amd-6.12 amd-7.2 amd-5.10 $OTHERS"
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
	amd-* | intel-*) echo "tests/lanes/${1%%-*}.sh ${1#*-}" ;;
	*)
		if [ -e "tests/lanes/$1.py" ]; then
			echo "python3 -B tests/lanes/$1.py"
		else
			echo "tests/lanes/$1.sh"
		fi
		;;
	esac
}

# Which tests there must be, the file of a lane says, or for unit the sources.
listed()
{
	[ "$1" = unit ] || [ -r "tests/lanes/${1%%-*}.list" ]
}

# lane_list LANE: a line "want NAME" for each test that has to appear in its results, and "out NAME
# REASON" for each that this series cannot have. In the list that is NAME [not:SERIES]... [# REASON],
# where a lane without series is its own; a comment that begins with the series gives the reason of
# those that have none.
lane_list()
{
	local series=${1#*-}

	if [ "$1" = unit ]; then
		tests/lanes/unit.sh --list | sed 's/^/want /'
		return
	fi
	listed "$1" || return
	awk -v series="$series" '
	/^#/ && $2 ~ /^[0-9]+\.[0-9]+$/ { noting = $2 == series }
	/^#/ { if (noting) note = note substr($0, 2); next }
	{ noting = 0 }
	NF {
		reason = match($0, /#.*/) ? substr($0, RSTART + 1) : ""
		sub(/#.*/, "")
		name[++n] = $1
		for (i = 2; i <= NF; i++)
			if ($i == "not:" series)
				out[n] = reason ? reason : "?"
	}
	END {
		for (i = 1; i <= n; i++)
			if (!(i in out)) print "want", name[i]
			else print "out", name[i], out[i] != "?" ? out[i] : note ? note : "no reason given"
	}' "tests/lanes/${1%%-*}.list"
}

# There may be no KVM on this machine: the only lane that may say so, and do nothing.
skipped()
{
	[ "$1" = host ] && grep -q '^skip host ' "$logs/host.log"
}

# Tests that should have run and did not: the lane died, or a test was left out.
missing()
{
	local word name

	skipped "$1" && return
	if ! listed "$1" && ! grep -qxF "not ok $1 lane" "$logs/$1.log"; then
		printf 'not ok %s lane\n  it has no list of tests\n' "$1"
	fi
	while read -r word name; do
		[ "$word" = want ] || continue
		grep -qxF -e "ok $1 $name" -e "not ok $1 $name" "$logs/$1.log" ||
			printf 'not ok %s %s\n  did not run\n' "$1" "$name"
	done < <(lane_list "$1")
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

# What the matrix is made of: lanes, their lists, and their results.
matrix_input()
{
	local lane

	for lane; do
		echo "lane $lane"
		listed "$lane" || echo "unlisted $lane"
		lane_list "$lane" | sed "s/ / $lane /"
		if skipped "$lane"; then
			sed -n 's/^\(skip [^ ]* \)[^ ]*: /\1/p' "$logs/$lane.log"
		fi
		sed -nE 's/^not ok /bad /; /^(ok|bad) /p' "$logs/$lane.log"
	done
}

# A row for each test, a column for each host. No cell is empty: what a host should have had and did
# not is a FAIL, and why it cannot have something stands below.
# shellcheck disable=SC2016 # awk's
MATRIX='
function row(name) {
	if (name in seen) return
	seen[name] = 1
	rows[++nrows] = name
	if (length(name) > width) width = length(name)
}
function cell(lane, name) {
	if ((lane, name) in bad) return "FAIL"
	if ((lane, name) in ok) return "ok"
	if (lane in skip) return "-"
	if (lane in unlisted || (lane, name) in want) return "FAIL"
	if (!((lane, name) in out) && name != "lane") foreign[lane]++
	return "-"
}
function rest(from,    i, text) {
	for (i = from; i <= NF; i++) text = text " " $i
	return text
}
function remark(lane, text) {
	if (!(text in whose)) remarks[++nremarks] = text
	whose[text] = whose[text] (whose[text] ? ", " : "") lane
}
# Broken at 96 columns.
function note(text,    words, n, i, line) {
	n = split(text, words, " ")
	line = "  -"
	for (i = 1; i <= n; i++) {
		if (length(line) + length(words[i]) >= 96) {
			print line
			line = "   "
		}
		line = line " " words[i]
	}
	print line
}
BEGIN { width = 4 }
$1 == "lane" { lanes[++nlanes] = $2 }
$1 == "unlisted" { unlisted[$2] = 1 }
$1 == "skip" { skip[$2] = rest(3) }
$1 == "want" || $1 == "out" || $1 == "ok" || $1 == "bad" { row($3) }
$1 == "want" { want[$2, $3] = 1 }
$1 == "ok" { ok[$2, $3] = 1 }
$1 == "bad" { bad[$2, $3] = 1 }
$1 == "out" {
	out[$2, $3] = 1
	why = rest(4)
	if (!(($2, why) in names)) reasons[$2, ++nreasons[$2]] = why
	names[$2, why] = names[$2, why] (names[$2, why] ? ", " : "") $3
}
END {
	if (width > 33) width = 33
	line = sprintf("%-*s", width, "test")
	for (j = 1; j <= nlanes; j++) line = line "  " lanes[j]
	print line
	for (i = 1; i <= nrows; i++) {
		line = sprintf("%-*.*s", width, width, rows[i])
		for (j = 1; j <= nlanes; j++)
			line = line sprintf("  %-*s", length(lanes[j]), cell(lanes[j], rows[i]))
		sub(/ +$/, "", line)
		print line
	}
	for (j = 1; j <= nlanes; j++) {
		lane = lanes[j]
		family = lane
		sub(/-.*/, "", family)
		for (i = 1; i <= nreasons[lane] && !(lane in skip); i++)
			remark(lane, names[lane, reasons[lane, i]] ":" reasons[lane, i])
		if (lane in skip)
			remark(lane, "nothing ran:" skip[lane])
		else if (foreign[lane])
			remark(lane, "of the tests of other hosts, so many are not in tests/lanes/" \
				family ".list: " foreign[lane])
	}
	for (i = 1; i <= nremarks; i++)
		note(whose[remarks[i]] ": " remarks[i])
}'

# The lanes of this list that are to run.
chosen()
{
	local lane

	for lane in $1; do
		[[ " ${wanted[*]} " != *" $lane "* ]] || printf '%s\n' "$lane"
	done
}

tables()
{
	local hosts others lane

	mapfile -t hosts < <(chosen "$HOSTS")
	mapfile -t others < <(chosen "$OTHERS")
	if [ ${#hosts[@]} -gt 0 ]; then
		echo
		matrix_input "${hosts[@]}" | awk "$MATRIX"
	fi
	[ ${#others[@]} -gt 0 ] || return
	printf '\n%-10s %8s %8s\n' lane passed failed
	for lane in "${others[@]}"; do
		printf '%-10s %8s %8s\n' "$lane" "$(count ok "$logs/$lane.log")" \
			"$(count 'not ok' "$logs/$lane.log")"
	done
}

# Once more at the end, where a log that was cut short still has them: what failed, and why.
failures()
{
	local lane

	for lane in "${wanted[@]}"; do
		awk '/^not ok / { bad = 1; print; next } /^[^ ]/ { bad = 0 } bad && lines++ < 100' "$logs/$lane.log"
	done
}

prepare()
{
	tools/deps.sh build test lint || return
	make -j2 all guests unit verifier export-programs >"$logs/build.log" 2>&1 && return
	tail -n 30 "$logs/build.log"
	return 1
}

wanted=()
for lane in "${@:-}"; do
	[ -n "$lane" ] || continue
	[[ " $HOSTS $OTHERS " == *" $lane "* ]] ||
		{ say "no lane $lane; there are: $HOSTS $OTHERS"; exit 2; }
	[[ " ${wanted[*]} " == *" $lane "* ]] || wanted+=("$lane")
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
passed=0 failed=0
for lane in "${wanted[@]}"; do
	# Again, should what runs a lane have died itself.
	touch "$logs/$lane.log"
	missing "$lane" >>"$logs/$lane.log"
done
tables
for lane in "${wanted[@]}"; do
	passed=$((passed + $(count ok "$logs/$lane.log")))
	failed=$((failed + $(count 'not ok' "$logs/$lane.log")))
done
if [ $failed -gt 0 ]; then
	echo
	failures
fi
printf '%s passed, %s failed\n' $passed $failed
[ $failed -eq 0 ]
