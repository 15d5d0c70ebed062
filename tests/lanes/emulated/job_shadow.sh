# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# Shadow paging: KVM sees the guest's own page faults, at guest virtual addresses.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
launch exits exits --by vm,vcpu,reason -f json
launch exceptions exceptions -f json
launch faults faults -f json
launch rec record -o /out/rec.kvmtrace
ready exits exceptions faults rec
observe
guest shadow_npf g_npf
guest shadow_pf g_pf
guest shadow_msr g_msr
observed
finish exits exceptions faults rec
recorded rec
dmesg >/out/dmesg
