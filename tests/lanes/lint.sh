#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The checks of tools/lint.sh, one test each, and the test of these checks themselves.
set -u
log=${BUILD:-build}/tests/logs/lint.out

timeout -k 5 200 make -s lint >"$log" 2>&1
awk '
$1 == "ok" { print "ok lint " $2; failing = 0; next }
$1 == "FAILED" { print "not ok lint " $2; failing = 1; next }
/^lint: / { failing = 0; next }
failing && lines[NR > 0]++ < 100 { print "  " $0 }' "$log"
if out=$(timeout -k 5 200 tools/lint_selftest.sh 2>&1); then
	echo "ok lint selftest"
else
	echo "not ok lint selftest"
	tail -n 30 <<<"$out" | sed 's/^/  /'
fi
