# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh's variables
# Intel hosts: Bochs, which knows VMX and EPT. Sourced by run.sh.
vendor=kvm-intel
ports=serial

# As in qemu.sh, for an emulator that takes five times as long.
BOOT_LIMIT=300
END_LIMIT=120
OFF_LIMIT=20
# What Bochs calls a second is so many instructions. With fewer than it executes in a real one,
# waiting for timers and devices takes less than its time.
IPS=30000000
# The kernel's tests of its own ciphers would take a third of the boot, clearing memory on allocation
# a part of everything, flushing the first-level cache for L1TF one of each entry. A reboot, as after a panic, must not start the host
# anew: it is made a triple fault, at which Bochs ends.
CMDLINE='console=ttyS0 quiet panic=-1 reboot=t oops=panic random.trust_cpu=on tsc=reliable
no_timer_check nowatchdog mitigations=off init_on_alloc=0 cryptomgr.notests'
BIOS=/usr/share/bochs
ISOLINUX=/usr/lib/ISOLINUX/isolinux.bin
LDLINUX=/usr/lib/syslinux/modules/bios/ldlinux.c32

host_check()
{
	local file

	vm_need bochs xorriso busybox
	for file in $BIOS/BIOS-bochs-latest $BIOS/VGABIOS-lgpl-latest $ISOLINUX $LDLINUX; do
		[ -r "$file" ] || vm_die "needs $file, which is not here: tools/deps.sh test"
	done
	[ "$smp" -eq 1 ] || bad "an Intel host has one CPU"
	[ -z "$icount" ] || bad "--icount is for AMD hosts; on Intel ones time always counts instructions"
}

# A bootable CD of kernel and initramfs.
make_cd()
{
	mkdir "$work/cd"
	ln "$work/initrd" "$work/cd/initrd"
	cp "$vmlinuz" "$work/cd/vmlinuz"
	cp $ISOLINUX $LDLINUX "$work/cd/"
	printf '%s\n' 'default linux' 'label linux' 'kernel /vmlinuz' 'initrd /initrd' \
		"append ${CMDLINE//$'\n'/ } $cmdline" >"$work/cd/isolinux.cfg"
	xorriso -as mkisofs -quiet -o "$work/cd.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table "$work/cd" >"$work/cd.log" 2>&1 ||
		vm_die "xorriso cannot make a CD: $(tail -n 3 "$work/cd.log")"
	rm -r "$work/cd"
}

write_config()
{
	cat >"$work/bochsrc" <<-END
		cpu: model=corei7_haswell_4770, count=1, ips=$IPS, reset_on_triple_fault=0
		memory: guest=$mem, host=$mem
		romimage: file=$BIOS/BIOS-bochs-latest
		vgaromimage: file=$BIOS/VGABIOS-lgpl-latest
		ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
		ata0-master: type=cdrom, path=cd.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=console
		com2: enabled=1, mode=file, dev=stdout
		com3: enabled=1, mode=file, dev=stderr
		com4: enabled=1, mode=file, dev=files
		clock: sync=none, time0=utc
		display_library: rfb, options="timeout=0"
		log: bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	END
}

# Debian's has a debugger in, which waits to be told to go on. The display is one for VNC, which nobody
# looks at: the one for terminals wants a terminal, and pseudo-terminals have been seen to stall.
host_start()
{
	local go='' alone=''

	make_cd
	write_config
	if bochs --help 2>&1 | grep -q -e ' -rc '; then
		echo c >"$work/go"
		go='-rc go'
	fi
	# Nobody is to find it on the network.
	unshare -rn true 2>/dev/null && alone='unshare -rn'
	# shellcheck disable=SC2086 # words
	launch $alone bochs -f bochsrc $go
}

# The console is the only port left for reports; they go there by way of the kernel, so that its
# own messages do not cut them.
host_reports()
{
	tr -d '\r' <"$work/console" | sed -n 's/.*\] vm: //p'
}

host_words()
{
	cat "$work/bochs.log" || tr -d '\000-\010\013-\037\177' <"$work/emulator.log"
}

host_files()
{
	busybox lzop -dc <"$work/files"
}
