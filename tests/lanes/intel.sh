#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/lanes/intel.sh SERIES
# The lane of an emulated Intel host: the jobs of the AMD ones, in sizes for an emulator that is
# five times as slow, and without the parts that intel.list gives reasons for.
set -u
lane=intel-$1
JOBS="${JOBS:-main shadow}"
# shellcheck disable=SC2034 # for lane.sh
verifier=1

options_of()
{
	options=(--intel --timeout 1500)
	case $1 in
	main)
		options+=(--env VCPUS=64 --env STORM=3000 --env TINY=1500 --env PACED=400
			--env PACED_RATE=200 --env SMP=100 --env FLOOD=3000 --env FLOOD_ASLEEP=1
			--env STOPPED_RATE=400
			--env "PARTS=everything recording many_vcpus storms filter_exits vms doctor without_btf verifier")
		;;
	shadow) options+=(--param kvm-intel.ept=0) ;;
	esac
}

. "$(dirname "$0")/emulated/lane.sh"
