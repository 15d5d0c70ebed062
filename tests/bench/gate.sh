#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/bench/gate.sh [--accept] [SERIES]...
# The lane "bench" (README.md): has what kvmtrace adds to an event grown?
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
export BUILD
if ! made=$(make -s BUILD="$BUILD" all guests bench-programs 2>&1); then
	printf 'not ok bench boot-6.1\n  cannot build\n'
	printf '%s\n' "$made" | tail -n 20 | sed 's/^/  /'
	exit 1
fi
status=0
python3 -B tests/bench/selftest.py || status=1
python3 -B tests/bench/gate.py "$@" || status=1
exit $status
