# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# Messages of the scripts in tools/, and patience with what takes its time. Sourced, never run.

BEAT_S=5

# me is what messages begin with.
say()
{
	printf '%s: %s\n' "${me:?}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# quietly WHAT COMMAND…: says WHAT, then every few seconds that it still goes on. What the command
# prints is shown only if it fails, the end of it.
quietly()
{
	local what=$1 start=$SECONDS status=0 beat log

	shift
	say "$what"
	log=$(mktemp)
	# The sleep outlives us by a moment: it must not hold our output open meanwhile.
	(
		while sleep "$BEAT_S" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
			say "    $((SECONDS - start)) s"
		done
	) &
	beat=$!
	"$@" >"$log" 2>&1 </dev/null || status=$?
	kill "$beat"
	wait "$beat" 2>/dev/null || :
	[ "$status" -eq 0 ] || tail -n 20 "$log" >&2
	rm -f "$log"
	return "$status"
}
