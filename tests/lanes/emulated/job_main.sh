# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# One CPU, virtual time: waiting costs nothing, and 20,000 events a second are that on any machine.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
# shellcheck source=tests/lanes/emulated/job_host.sh
. /w/job_host.sh

# Lanes on slow emulators set smaller sizes, and which parts they have the time for. FLOOD_ASLEEP is 1
# where exits come too slowly to outrun a recorder: it then sleeps until the flood is over.
: "${SMP:=300}" "${FLOOD:=20000}" "${FLOOD_ASLEEP:=0}" "${STOPPED_RATE:=2000}"
: "${VCPUS:=1024}" "${STORM:=200000}" "${TINY:=20000}" "${PACED:=60000}" "${PACED_RATE:=20000}"
: "${PARTS:=everything recording many_vcpus storms filter_exits filter_exceptions filter_faults intervals \
	latency idle vms doctor names unprivileged without_btf without_tracefs without_kvm}"

# Every scenario in one trace, seen by all commands and the observers at once.
everything()
{
	launch exits exits --by vm,vcpu,reason -f json
	launch exceptions exceptions -f json
	launch reinjected exceptions --reinjected -f json
	launch faults faults -f json
	launch regions faults --hist -f json
	launch rec record -o /out/rec.kvmtrace
	launch some record --events exceptions,faults -o /out/some.kvmtrace
	ready exits exceptions reinjected faults regions rec some
	observe
	guest cpuid g_cpuid -n 1000
	guest pio g_pio
	guest msr g_msr
	guest ud g_ud
	guest pf g_pf
	guest npf g_npf --more 1
	guest hlt g_hlt
	guest hlttimer g_hlt --timer-us 2000 -n 20
	guest gpsel g_gpsel
	guest cr g_cr --xsetbv "$xsetbv"
	guest triple g_triple
	guest triple13 g_triple --vector 13
	guest failentry g_failentry --fails 3
	guest twovms g_twovms --name pair
	guest smp g_smp -n "$SMP"
	guest recreate g_recreate -n 60
	guest iomix g_iomix -n 20
	guest hypercall g_hypercall -n 200
	guest emufail g_emufail
	guest ipi g_ipi --vcpus 2 -n 20
	# A second, for /proc has the name only as long as the process is there.
	guest named g_msr --name win11 -n 5 --hold 1
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		guest "row$i" g_cpuid -n $((i * 7 + 1))
	done
	# Names are kept after the processes have gone.
	sleep 1
	observed
	finish exits exceptions reinjected faults regions rec some
	recorded_all rec
	recorded some
}

# A guest that record starts; a buffer that is too small; and a recorder that is stopped for three seconds.
recording()
{
	once command record -o /out/command.kvmtrace -- g_hypercall -n 500
	mv /out/command.out /out/command.want
	trace overflow record --buffer 16 --events exits -o /out/overflow.kvmtrace
	[ "$FLOOD_ASLEEP" = 0 ] || kill -STOP "$(pid_of overflow)"
	guest overflow_guest counted overflow g_cpuid -n "$FLOOD"
	kill -CONT "$(pid_of overflow)"
	finish overflow
	trace stopped record --buffer 64 -o /out/stopped.kvmtrace
	freeze stopped &
	echo $! >/tmp/freeze.pid
	guest stopped_guest counted stopped g_misbehave --seconds 5 --rate "$STOPPED_RATE"
	wait "$(pid_of freeze)"
	finish stopped
	recorded command
	sum_up overflow exits exits --by vm,vcpu,reason
	sum_up overflow summary summary
	sum_up stopped summary summary
}

many_vcpus()
{
	launch many exits --by vm,vcpu,reason -f json
	launch few exits --by vm,vcpu,reason -f json --max-vcpus 8
	launch fewstrict exits --max-vcpus 8 --strict
	ready many few fewstrict
	guest manyvcpus g_manyvcpus --vcpus "$VCPUS"
	finish many few fewstrict
}

storms()
{
	trace storm exceptions
	guest storm_full g_storm -n "$STORM"
	grep VmRSS "/proc/$(pid_of storm)/status" >/out/storm.rss
	finish storm
	# What was seen, counted by someone else; the lines themselves are too many to bring home.
	grep -c ' vector=13 #GP ' /out/storm.out >/out/storm.lines
	tail -n 1 /out/storm.out >/out/storm.last
	rm /out/storm.out
	trace paced exceptions --strict -f json
	guest storm_paced g_storm -n "$PACED" --rate "$PACED_RATE"
	grep VmRSS "/proc/$(pid_of paced)/status" >/out/paced.rss
	finish paced
	grep -c '^{"type":"exception",' /out/paced.out >/out/paced.lines
	tail -n 1 /out/paced.out >/out/paced.last
	rm /out/paced.out
	trace tiny exceptions --buffer 4 --strict -f json
	guest storm_tiny g_storm -n "$TINY"
	finish tiny
}

# filtered SUFFIX: three VMs that wait, web-1, db-1 and gp-1; run_filtered SUFFIX has them run.
filtered()
{
	held "web$1" g_misbehave -n 50 --name web-1
	held "db$1" g_smp -n 100 --name db-1
	held "gp$1" g_msr -n 10 --name gp-1
	await_vms "web$1" "db$1" "gp$1"
}

run_filtered()
{
	go "web$1" "db$1" "gp$1"
}

# Some look at VMs that come later, some at those that are there.
filter_exits()
{
	launch f_vcpu exits --vcpu 2 --by vm,vcpu,reason -f json
	launch f_reason exits --reason "cpuid,$io" --by vm,vcpu,reason -f json
	launch f_text exits --reason "$io"
	launch f_rvm record --vm 'web-*' -o /out/f_rvm.kvmtrace
	launch f_rvcpu record --vcpu 2 --reason "cpuid,$io" --vector gp -o /out/f_rvcpu.kvmtrace
	ready f_vcpu f_reason f_text f_rvm f_rvcpu
	filtered 1
	launch f_pid exits -p "$(pid_of db1)" --by vm,vcpu,reason -f json
	launch f_vm exits --vm 'web-*' --by vm,vcpu,reason -f json
	ready f_pid f_vm
	run_filtered 1
	finish f_pid f_vm f_vcpu f_reason f_text f_rvm f_rvcpu
	recorded f_rvm
}

filter_exceptions()
{
	filtered 2
	launch f_epid exceptions -p "$(pid_of gp2)" -f json
	launch f_evm exceptions --vm 'web-*' -f json
	launch f_evcpu exceptions --vcpu 0 -f json
	launch f_evcpu7 exceptions --vcpu 7 -f json
	launch f_vector exceptions --vector '#UD' -f json
	launch f_vectors exceptions --vector gp,6 -f json
	ready f_epid f_evm f_evcpu f_evcpu7 f_vector f_vectors
	run_filtered 2
	finish f_epid f_evm f_evcpu f_evcpu7 f_vector f_vectors
}

filter_faults()
{
	filtered 3
	launch f_fpid faults -p "$(pid_of db3)" -f json
	launch f_fvm faults --vm 'gp-?' -f json
	launch f_fall faults -f json
	ready f_fpid f_fvm f_fall
	run_filtered 3
	finish f_fpid f_fvm f_fall
}

# Intervals; a VM that was there, one that was running, and one that begins.
intervals()
{
	held before g_cpuid -n 300 --name before
	g_misbehave --seconds 12 --rate 100 --name running >/out/running.want 2>/out/running.guest &
	echo $! >/tmp/running.pid
	await_vms before running
	sleep 1
	launch interval exits -i 0.2 --by vm,vcpu,reason -f json
	launch whole exits --by vm,vcpu,reason -f json
	launch timed exits -d 1.5 -f json
	ready interval whole
	go before
	guest during g_misbehave --seconds 3 --rate 100 --name during
	wait "$(pid_of running)"
	wait "$(pid_of timed)"
	echo $? >/out/timed.status
	finish interval whole
}

# The time of arrival stands before each line; "ts" has microseconds.
latency()
{
	mkfifo /tmp/late
	ts %.s </tmp/late >/out/latency.out &
	: >/out/latency.err
	kvmtrace exceptions -f json >/tmp/late 2>>/out/latency.err &
	echo $! >/tmp/latency.pid
	ready latency
	guest late g_misbehave --seconds 2 --rate 40
	finish latency
}

idle()
{
	launch idle_exits exits
	launch idle_exceptions exceptions
	launch idle_faults faults
	ready idle_exits idle_exceptions idle_faults
	sleep 1
	for name in idle_exits idle_exceptions idle_faults; do
		ticks "$(pid_of $name)"
	done >/out/idle.before
	grep -h VmRSS "/proc/$(pid_of idle_exits)/status" \
		"/proc/$(pid_of idle_exceptions)/status" \
		"/proc/$(pid_of idle_faults)/status" >/out/idle.rss
	sleep 2
	for name in idle_exits idle_exceptions idle_faults; do
		ticks "$(pid_of $name)"
	done >/out/idle.after
	finish idle_exits idle_exceptions idle_faults
}

# shellcheck source=tests/verifier/job.sh
verifier()
{
	. /w/job.sh
}

echo "$PARTS" >/out/parts
for part in $PARTS; do
	$part
	echo "$part: $(cut -d ' ' -f 1 /proc/uptime) s"
done
dmesg >/out/dmesg
