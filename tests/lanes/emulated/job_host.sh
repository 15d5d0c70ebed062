# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# Sourced by job_main.sh, parts of it: the list of VMs, hostile names, and hosts that lack something.
# shellcheck disable=SC1003,SC2154 # it ends with a backslash; lib.sh sets variables
NASTY=$(printf 'a"b,c\033[31m\nd\tü\\')

vms()
{
	ls /sys/kernel/btf >/out/btf
	once vms_none vms
	once vms_none_json vms -f json
	: >/out/listed.want
	: >/out/nasty.want
	g_smp --hold 60 --name db-1 >>/out/listed.want 2>/out/listed.guest &
	echo $! >/tmp/listed.pid
	g_cpuid --hold 60 --name "$NASTY" >>/out/nasty.want 2>/out/nasty.guest &
	echo $! >/tmp/nasty.pid
	until grep -q '^done' /out/listed.want && grep -q '^done' /out/nasty.want; do
		usleep 20000
	done
	once vms_text vms
	once vms_json vms -f json
	once vms_csv vms -f csv
	once vms_pid vms -p "$(pid_of listed)" -f json
	once vms_glob vms --vm 'db-*' -f json
	once vms_other vms --vm nosuch
	kill "$(pid_of listed)" "$(pid_of nasty)"
	wait "$(pid_of listed)" "$(pid_of nasty)"
}

doctor()
{
	ls /sys/kernel/btf >/out/btf_modules
	once doctor doctor -f json --save-facts /out/facts
	once doctor_text doctor -v --facts /out/facts
}

names()
{
	launch n_text exceptions
	launch n_json exceptions -f json
	launch n_csv exceptions -f csv
	launch n_etext exits
	launch n_ecsv exits -f csv --by vm,vcpu,reason
	launch n_ftext faults --hist
	launch n_fcsv faults -f csv
	ready n_text n_json n_csv n_etext n_ecsv n_ftext n_fcsv
	guest n_guest g_misbehave -n 5 --name "$NASTY"
	finish n_text n_json n_csv n_etext n_ecsv n_ftext n_fcsv
}

as_nobody()
{
	local name=$1

	shift
	su -s /bin/sh nobody -c "timeout 30 /w/kvmtrace $*" >"/out/$name.out" 2>"/out/$name.err"
	echo $? >"/out/$name.status"
}

unprivileged()
{
	echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	chmod 755 / /w /w/kvmtrace
	for command in exits exceptions faults vms; do
		as_nobody "nobody_$command" $command
	done
	as_nobody nobody_record record -o /tmp/nobody.kvmtrace
	ls /tmp/nobody.kvmtrace >/out/nobody_record.left 2>&1
}

without_btf()
{
	cp /sys/kernel/btf/vmlinux /tmp/vmlinux.btf
	mount -t tmpfs none /sys/kernel/btf
	once nobtf exits -d 0.1
	# As before 5.11: types of the kernel, but not of its modules.
	mv /tmp/vmlinux.btf /sys/kernel/btf/vmlinux
	launch raw_exits exits --by vm,vcpu,reason -f json
	launch raw_exceptions exceptions -f json
	launch raw_faults faults -f json
	launch raw_rec record -o /out/raw_rec.kvmtrace
	ready raw_exits raw_exceptions raw_faults raw_rec
	guest raw_msr g_msr
	guest raw_pio g_pio
	guest raw_ud g_ud
	guest raw_npf g_npf
	guest raw_smp g_smp -n "$SMP"
	finish raw_exits raw_exceptions raw_faults raw_rec
	recorded raw_rec
	umount /sys/kernel/btf
}

# kvmtrace then mounts one for itself.
without_tracefs()
{
	umount /sys/kernel/tracing
	umount /sys/kernel/debug/tracing 2>/dev/null
	umount /sys/kernel/debug
	once notracefs exceptions -d 0.1
	mount -t tracefs trace /sys/kernel/tracing
}

without_kvm()
{
	rmmod "$vendor"
	once novendor exits -d 0.1
	rmmod kvm
	once nokvm exits -d 0.1
	launch waiting exits --by vm,vcpu,reason -f json --wait
	sleep 2
	insmod /modules/kvm.ko
	insmod "/modules/$(echo "$vendor" | tr _ -).ko"
	ready waiting
	guest awaited g_cpuid -n 77
	finish waiting
}
