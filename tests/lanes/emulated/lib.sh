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

# Two observers that know nothing of kvmtrace.
observe()
{
	rm -f /tmp/perf.stop
	perf stat -x , -a -e kvm:kvm_exit -o /out/perf.csv \
		sh -c 'until [ -e /tmp/perf.stop ]; do usleep 50000; done' 2>/out/perf.err &
	echo $! >/tmp/perf.pid
	mkdir $tracing
	echo 0 >$tracing/tracing_on
	echo 32768 >$tracing/buffer_size_kb
	echo 1 >$tracing/events/kvm/kvm_exit/enable
	echo 1 >$tracing/events/kvm/kvm_inj_exception/enable
	echo 1 >$tracing/events/kvm/kvm_page_fault/enable
	echo 1 >$tracing/tracing_on
	# perf says nothing when it has begun.
	sleep 1
}

observed()
{
	echo 0 >$tracing/tracing_on
	: >/tmp/perf.stop
	wait "$(pid_of perf)"
	# Reasons as words: "kvm_exit 17 cpuid"; further, what fell out of the buffer.
	awk '
	/entries-in-buffer/ { split($3, n, /[:\/]/); print "overrun", n[4] - n[3] }
	/ kvm_exit: / { sub(/^.* reason /, ""); sub(/ rip .*/, ""); seen["kvm_exit " $0]++ }
	/ kvm_inj_exception: / { seen["kvm_inj_exception " (/reinjected/ ? "again" : "first")]++ }
	/ kvm_page_fault: / { seen["kvm_page_fault all"]++ }
	END { for (i in seen) { split(i, w, " "); r = substr(i, length(w[1]) + 2)
		print w[1], seen[i], r } }' $tracing/trace >/out/tracefs
	for event in kvm_exit kvm_inj_exception kvm_page_fault; do
		echo 0 >$tracing/events/kvm/$event/enable
	done
	rmdir $tracing
}

# Words of /proc/PID/stat: the CPU ticks it has used.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}
