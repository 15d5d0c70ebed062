# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh's variables
# AMD hosts: QEMU's TCG, which knows SVM. Sourced by run.sh.
vendor=kvm-amd
ports=virtio

# Seconds of real time: for the kernel to come up, for a guest past its own limit to bring its
# files home, and to power off. Twenty times what a machine with two CPUs needs.
BOOT_LIMIT=120
END_LIMIT=60
OFF_LIMIT=10
# Under TCG the watchdogs of clock, timer and lockup see a starved emulator, not a fault.
CMDLINE='console=ttyS0 quiet panic=-1 oops=panic random.trust_cpu=on tsc=reliable no_timer_check
nowatchdog'

host_check()
{
	vm_need qemu-system-x86_64
	[ -z "$icount" ] || [ "$smp" -eq 1 ] || bad "--icount goes with one CPU only"
}

host_start()
{
	local args port

	# shellcheck disable=SC2054 # QEMU's commas
	args=(-nodefaults -no-user-config -display none -monitor none -no-reboot
		-accel tcg,thread=single -cpu EPYC,+svm,+npt -smp "$smp" -m "$mem"
		-kernel "$vmlinuz" -initrd initrd
		-append "${CMDLINE//$'\n'/ } $cmdline"
		-chardev file,id=serial,path=console -serial chardev:serial
		-device virtio-serial-pci,ioeventfd=off)
	# Ports backed by files never make the guest wait, however slowly ours are read, and what
	# was written before a crash is there after it.
	for port in stdout stderr files status; do
		args+=(-chardev "file,id=$port,path=$port"
			-device "virtserialport,chardev=$port,name=$port")
	done
	# shellcheck disable=SC2054
	[ -z "$icount" ] || args+=(-icount shift=0,sleep=off)
	launch qemu-system-x86_64 "${args[@]}"
}

# What the guest reported.
host_reports()
{
	cat "$work/status"
}

# The emulator's own words.
host_words()
{
	grep -v 'TCG doesn.t support requested feature' "$work/emulator.log"
}

host_files()
{
	cat "$work/files"
}
