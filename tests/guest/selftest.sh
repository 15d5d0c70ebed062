#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# selftest.sh DIR 'g_SCENARIO OPTIONS'…: runs guests from DIR and lets tracefs, which knows nothing of
# kvmtrace, confirm their expectations. Needs root and a mounted tracefs, where it has an instance of its own.
set -u
here=$(dirname "$0")
tracing=/sys/kernel/tracing/instances/kt-selftest-$$
dir=$1
shift
mkdir $tracing || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; echo 0 >$tracing/events/kvm/enable; rmdir $tracing' EXIT
failed=0

echo 0 >$tracing/tracing_on
echo "${BUFFER_KB:-32768}" >$tracing/buffer_size_kb
for event in exit entry inj_exception page_fault userspace_exit pio mmio hypercall; do
	echo 1 >$tracing/events/kvm/kvm_$event/enable
done
for command in "$@"; do
	echo >$tracing/trace
	echo 1 >$tracing/tracing_on
	# shellcheck disable=SC2086 # a command line: words are meant to split
	"$dir"/$command >"$tmp/want" 2>"$tmp/errors"
	status=$?
	echo 0 >$tracing/tracing_on
	cat $tracing/trace >"$tmp/trace"
	lost=$(awk '/entries-in-buffer/ { split($3, n, ":|/"); print n[4] - n[3] }' "$tmp/trace")
	if [ $status -ne 0 ] || [ "${lost:-0}" -ne 0 ]; then
		echo "FAIL $command: status $status, ${lost:-0} events lost"
		cat "$tmp/errors"
		failed=1
	elif ! awk -f "$here/tracefs.awk" "$tmp/want" "$tmp/trace"; then
		echo "     $command"
		failed=1
	fi
done
exit $failed
