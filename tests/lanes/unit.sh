#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/lanes/unit.sh [--list]
# Every cmocka program of tests/unit; each of its tests is one here. --list prints the names which
# the sources say there are, so that a program that ends too soon, or was not built, is noticed.
set -u
BUILD=${BUILD:-build}
LIMIT=120

# Tests named in the array handed to cmocka: cmocka_unit_test…(NAME) or a file's TEST(NAME).
names()
{
	sed -n '/^#/d; s/.*\(cmocka_unit_test[a-z_]*\|\bTEST\)(\([a-z][a-z0-9_]*\)[,)].*/\2/p' "$1"
}

list()
{
	local source program name

	for source in tests/unit/test_*.c; do
		program=$(basename "$source" .c)
		echo "$program"
		names "$source" | while read -r name; do echo "$program.$name"; done
	done
}

run()
{
	local program=$1 name status failed
	local log=$BUILD/tests/logs/$program.tap

	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 $LIMIT "$BUILD/tests/unit/$program" >"$log" 2>&1
	status=$?
	sed -nE "s/^(ok|not ok) [0-9]+ - (.*)/\1 unit $program.\2/p" "$log"
	failed=$(grep -c '^not ok ' "$log")
	if [ $status -eq 0 ] && [ "$failed" -eq 0 ]; then
		echo "ok unit $program"
		rm -f "$log"
	else
		echo "not ok unit $program"
		echo "  status $status, $failed tests failed; $log"
		grep -v '^ok ' "$log" | tail -n 30 | sed 's/^/  /'
	fi
}

if [ "${1:-}" = --list ]; then
	list
	exit 0
fi
mkdir -p "$BUILD/tests/logs"
for source in tests/unit/test_*.c; do
	run "$(basename "$source" .c)"
done
