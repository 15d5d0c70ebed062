# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# The captures that tests/store keeps: a few events of every kind; kept.py knows all of them by hand.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
trace kept record -o /out/kept.kvmtrace
guest msr g_msr -n 2 --name win11
guest cr g_cr -n 1
guest pf g_pf -n 1
guest hypercall g_hypercall -n 3
guest iomix g_iomix -n 2
guest npf g_npf -n 1
guest hlt g_hlt --timer-us 2000 -n 2
guest emufail g_emufail -n 3
guest triple g_triple
finish kept
