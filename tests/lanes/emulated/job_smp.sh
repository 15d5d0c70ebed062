# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# Two CPUs: what depends on rings, threads and CPUs being several.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
launch exits exits --by vm,vcpu,reason -f json
launch exceptions exceptions -f json
launch faults faults -f json
launch rec record -o /out/rec.kvmtrace
ready exits exceptions faults rec
observe
guest migrate g_migrate
guest smp2 g_smp -n 500
guest twovms2 g_twovms
guest msr2 g_msr -n 500
observed
finish exits exceptions faults rec
recorded_all rec
trace storm2 exceptions
guest storm_two g_storm -n 50000
finish storm2
grep -c ' vector=13 #GP ' /out/storm2.out >/out/storm2.lines
tail -n 1 /out/storm2.out >/out/storm2.last
rm /out/storm2.out
# In the order in which they happened, whatever CPU they come from.
trace order exceptions -f json
guest ordered g_twovms -n 10 --second 2000
guest ordered2 g_twovms -n 10 --second 2000
finish order
dmesg >/out/dmesg
