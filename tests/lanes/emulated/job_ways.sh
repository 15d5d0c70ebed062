# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# The same guests seen by weaker ways: once because a test says so, once because the kernel refuses
# the better ones.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
# Whatever loads through the types of modules, and the way that only old kernels have.
BETTER=kt_exit_note,kt_exit_end,kt_exit_begin,kt_exit_begin_r3,kt_fault_entry,kt_fault_exit,kt_fault
BETTER=$BETTER,kt_fault_region,kt_msr,kt_cr,kt_emulate,kt_async_pf,kt_inject
BETTER=$BETTER,kt_trace_exit,kt_trace_exit_c,kt_trace_entry

# session PREFIX: all commands at once.
session()
{
	launch "$1exits" exits -v --by vm,vcpu,reason -f json
	launch "$1exceptions" exceptions -v -f json
	launch "$1faults" faults -v -f json
	launch "$1regions" faults -v --hist -f json
	launch "$1rec" record -v -o "/out/$1rec.kvmtrace"
	ready "$1exits" "$1exceptions" "$1faults" "$1regions" "$1rec"
	guest "$1cpuid" g_cpuid -n 300
	guest "$1pio" g_pio -n 30
	guest "$1msr" g_msr -n 20
	guest "$1ud" g_ud -n 20
	guest "$1pf" g_pf -n 10
	guest "$1cr" g_cr -n 10
	guest "$1npf" g_npf
	guest "$1hlt" g_hlt -n 20
	guest "$1smp" g_smp -n 100
	guest "$1recreate" g_recreate -n 30
	guest "$1twovms" g_twovms -n 100 --second 50
	finish "$1exits" "$1exceptions" "$1faults" "$1regions" "$1rec"
	recorded "$1rec"
}

ls /sys/kernel/btf >/out/btf_modules
export KVMTRACE_WAYS=raw,raw-old
session forced_
unset KVMTRACE_WAYS
export KVMTRACE_BREAK=$BETTER
session refused_
unset KVMTRACE_BREAK
dmesg >/out/dmesg
