#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tests/lanes/amd.sh SERIES
# The lane of an emulated AMD host.
set -u
lane=amd-$1
JOBS="${JOBS:-main smp shadow module ways record}"

options_of()
{
	options=(--mem 2048)
	case $1 in
	main) options+=(--icount --timeout 400) ;;
	smp) options+=(--smp 2 --timeout 60) ;;
	shadow) options+=(--param kvm-amd.npt=0 --timeout 60) ;;
	module | ways) options+=(--timeout 120) ;;
	record) options+=(--smp 2 --timeout 300 --env "KILLS=$kills") ;;
	esac
}

# Of the 200 that there have to be.
case $1 in
6.1) kills=0 ;;
*) kills=67 ;;
esac
. "$(dirname "$0")/emulated/lane.sh"
