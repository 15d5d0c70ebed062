# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash disable=SC2034 # the jobs use what is set here
# Sourced by the jobs, which busybox's shell runs as root inside an emulated host. All that a job
# finds out it leaves in /out, as NAME.out, NAME.err and NAME.status; check.py judges it outside.
tracing=/sys/kernel/tracing/instances/lanes
READY_LIMIT=6000 # times 20 ms
# What differs between the two: the vendor's module, the exit of I/O instructions, and XSETBV, which
# QEMU's SVM does not intercept.
vendor=kvm_amd io=IOIO xsetbv=0
if [ -e /sys/module/kvm_intel ]; then
	vendor=kvm_intel io=IO_INSTRUCTION xsetbv=1
fi

# What the kernel says of the emulator's processor while it boots is not kvmtrace's doing.
echo "lanes: the job begins" >/dev/kmsg

# launch NAME ARGUMENT…: kvmtrace in the background.
launch()
{
	local name=$1

	shift
	: >"/out/$name.err"
	kvmtrace "$@" >"/out/$name.out" 2>>"/out/$name.err" &
	echo $! >"/tmp/$name.pid"
}

pid_of()
{
	cat "/tmp/$1.pid"
}

# ready NAME…: waits until each of them traces.
ready()
{
	local name tries

	for name; do
		tries=0
		until grep -q '^kvmtrace: tracing ' "/out/$name.err"; do
			[ $((tries += 1)) -lt $READY_LIMIT ] || break
			kill -0 "$(pid_of "$name")" 2>/dev/null || break
			usleep 20000
		done
	done
}

# trace NAME ARGUMENT…: launch and ready.
trace()
{
	launch "$@"
	ready "$1"
}

# finish NAME…: ends them as Ctrl-C does and notes their statuses.
finish()
{
	local name

	for name; do kill -INT "$(pid_of "$name")" 2>/dev/null; done
	for name; do
		wait "$(pid_of "$name")"
		echo $? >"/out/$name.status"
	done
}

# once NAME ARGUMENT…: a kvmtrace that ends by itself.
once()
{
	local name=$1

	shift
	timeout 120 kvmtrace "$@" >"/out/$name.out" 2>"/out/$name.err"
	echo $? >"/out/$name.status"
}

# guest NAME PROGRAM ARGUMENT…: what it expects is left in NAME.want.
guest()
{
	local name=$1

	shift
	"$@" >"/out/$name.want" 2>"/out/$name.guest"
	echo $? >"/out/$name.ended"
}

# held NAME PROGRAM ARGUMENT…: a guest in the background, which runs once /tmp/go is there.
held()
{
	local name=$1

	shift
	"$@" --wait-file /tmp/go >"/out/$name.want" 2>"/out/$name.guest" &
	echo $! >"/tmp/$name.pid"
}

go()
{
	: >/tmp/go
	while [ $# -gt 0 ]; do
		wait "$(pid_of "$1")"
		echo $? >"/out/$1.ended"
		shift
	done
	rm -f /tmp/go
}

# A descriptor named kvm-vm is a VM.
has_vm()
{
	local fd

	for fd in "/proc/$1/fd"/*; do
		case $(readlink "$fd") in *kvm-vm*) return 0 ;; esac
	done
	return 1
}

# Waits until each of these guests has a VM.
await_vms()
{
	local name tries

	for name; do
		tries=0
		until has_vm "$(pid_of "$name")"; do
			[ $((tries += 1)) -lt 500 ] || break
			usleep 10000
		done
	done
}

# Tracepoints whose events record has: all that perf counts and tracefs notes in full.
EVENTS='kvm_exit kvm_inj_exception kvm_page_fault kvm_msr kvm_pio kvm_mmio kvm_fast_mmio kvm_cr kvm_cpuid
kvm_hypercall kvm_emulate_insn kvm_inj_virq kvm_userspace_exit kvm_vcpu_wakeup kvm_halt_poll_ns'

# Two observers that know nothing of kvmtrace.
observe()
{
	rm -f /tmp/perf.stop /tmp/perf.begun
	perf stat -x , -a -e kvm:kvm_exit -o /out/perf.csv \
		sh -c ': >/tmp/perf.begun; until [ -e /tmp/perf.stop ]; do usleep 50000; done' \
		2>/out/perf.err &
	echo $! >/tmp/perf.pid
	mkdir $tracing
	echo 0 >$tracing/tracing_on
	echo 32768 >$tracing/buffer_size_kb
	for event in $EVENTS; do echo 1 >"$tracing/events/kvm/$event/enable"; done
	echo 1 >$tracing/tracing_on
	while [ ! -e /tmp/perf.begun ] && kill -0 "$(pid_of perf)"; do usleep 20000; done
	sleep 1
}

observed()
{
	echo 0 >$tracing/tracing_on
	: >/tmp/perf.stop
	wait "$(pid_of perf)"
	# What fell out of the buffer; then how often which thread had which line: "17 1234 kvm_msr: …".
	awk '
	/^# entries-in-buffer/ { split($3, n, /[:\/]/); print "overrun", n[1], n[2] }
	/^#/ { next }
	{
		at = index($0, ": kvm_")
		match($0, /-[0-9]+ +\[/)
		seen[substr($0, RSTART + 1, RLENGTH - 2) + 0 " " substr($0, at + 2)]++
	}
	END { for (i in seen) print seen[i], i }' $tracing/trace >/out/tracefs
	for event in $EVENTS; do echo 0 >"$tracing/events/kvm/$event/enable"; done
	rmdir $tracing
}

# counted NAME COMMAND…: perf counts, meanwhile and everywhere, all events that record has.
counted()
{
	local name=$1

	shift
	# shellcheck disable=SC2086 # a list of names
	perf stat -x , -a -e "$(printf ',kvm:%s' $EVENTS | cut -c 2-)" -o "/out/$name.perf" "$@"
}

# sum_up NAME VIEW ARGUMENT…: what report says here of the capture, as "STATUS CHECKSUM VIEW ARGUMENT…" in
# NAME.sums: check.py has it read elsewhere and compares.
sum_up()
{
	local name=$1 view=$2 sum status

	shift 2
	(cd /out && kvmtrace report "$name.kvmtrace" "$@" -f json) >/tmp/report 2>>"/out/$name.said"
	status=$?
	sum=$(sha256sum </tmp/report)
	echo "$status ${sum%% *} $view $*" >>"/out/$name.sums"
	rm -f /tmp/report
}

# recorded NAME…: the views of these captures that have a live command.
recorded()
{
	local name

	for name; do
		sum_up "$name" exits exits --by vm,vcpu,reason
		sum_up "$name" exceptions exceptions
		sum_up "$name" faults faults
	done
}

# recorded_all NAME: all views of a capture.
recorded_all()
{
	recorded "$1"
	sum_up "$1" summary summary
	sum_up "$1" reinjected exceptions --reinjected
	sum_up "$1" regions faults --hist
	sum_up "$1" events events
}

# freeze NAME: it is stopped for three seconds, from a second after now on.
freeze()
{
	sleep 1
	kill -STOP "$(pid_of "$1")"
	sleep 3
	kill -CONT "$(pid_of "$1")"
}

# Words of /proc/PID/stat: the CPU ticks it has used.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}
