# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# KVM's modules go and come while kvmtrace runs.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
file=$(echo "$vendor" | tr _ -).ko
LIMIT=100 # times 20 ms: kvmtrace has to let go, and to attach again, within two seconds

now_ms()
{
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# await COUNT WORDS NAME…: waits until each of them has said it so many times.
await()
{
	local count=$1 words=$2 name tries

	shift 2
	for name; do
		tries=0
		until [ "$(grep -c "^kvmtrace: $words" "/out/$name.err")" -ge "$count" ]; do
			[ $((tries += 1)) -lt $LIMIT ] || break
			usleep 20000
		done
	done
}

# unload ROUND: both modules, as soon as kvm can be. ROUND.ms: how long it could not.
unload()
{
	local begin tries=0

	rmmod "$vendor" 2>>/out/rmmod.err
	begin=$(now_ms)
	until rmmod kvm 2>/tmp/rmmod.err; do
		if [ $((tries += 1)) -ge $LIMIT ]; then
			cat /tmp/rmmod.err >>/out/rmmod.err
			break
		fi
		usleep 20000
	done
	echo $(($(now_ms) - begin)) >"/out/$1.ms"
	cut -d ' ' -f 1 /proc/modules >"/out/$1.modules"
}

load()
{
	[ -e /sys/module/kvm ] || insmod /modules/kvm.ko
	insmod "/modules/$file"
}

# Of every kind of event a number that no other guest has.
guests()
{
	guest "$1_cpuid" g_cpuid -n $((100 + $2))
	guest "$1_msr" g_msr -n $((10 + $2))
	guest "$1_npf" g_npf -n $((5 + $2))
	guest "$1_smp" g_smp -n $((20 + $2))
}

# With a VM open the module stays, and nobody takes any notice.
with_a_vm()
{
	held open g_misbehave -n 9
	await_vms open
	rmmod "$vendor" 2>/dev/null
	echo $? >/out/open.rmmod
	# Nothing has happened, though somebody has the kernel say so (udevadm trigger).
	echo remove >/sys/devices/virtual/misc/kvm/uevent
	echo add >/sys/devices/virtual/misc/kvm/uevent
	sleep 1
	cat /out/exits.err /out/exceptions.err /out/faults.err /out/rec.err >/out/open.said
	go open
}

build_id()
{
	xxd -p "/sys/module/$vendor/notes/.note.gnu.build-id" | tr -d '\n'
}

# overwrite FILE OFFSET: four bytes.
overwrite()
{
	printf '\377\377\377\377' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# A vendor module like the one before but for its build ID, hence maybe with other structures.
other_build()
{
	local id at

	id=$(build_id)
	launch other exits --by vm,vcpu,reason -f json
	ready other
	guest other_msr g_msr -n 3
	rmmod "$vendor"
	await 1 "$vendor was unloaded: " other
	cp "/modules/$file" /tmp/other.ko
	at=$(xxd -p /tmp/other.ko | tr -d '\n' | awk -v id="$id" '{ print index($0, id) - 1 }')
	overwrite /tmp/other.ko $(((at + ${#id}) / 2 - 4))
	# Without the word at its end that says so it isn't signed: a wrong signature would be refused.
	overwrite /tmp/other.ko $(($(stat -c %s /tmp/other.ko) - 4))
	insmod /tmp/other.ko
	echo "$id $(build_id)" >/out/other.ids
	await 1 'tracing again' other
	guest other_msr2 g_msr -n 4
	finish other
}

launch exits exits --by vm,vcpu,reason -f json
launch exceptions exceptions -f json
launch faults faults -f json
launch rec record -o /out/rec.kvmtrace
ready exits exceptions faults rec
guests first 1
with_a_vm
unload gone
load
await 1 'tracing again' exits exceptions faults rec
guests second 2
# Only the vendor module.
rmmod "$vendor"
await 2 "$vendor was unloaded: " exits exceptions faults rec
load
await 2 'tracing again' exits exceptions faults rec
guests third 3
# Back before anybody can have let go.
rmmod "$vendor"
load
await 3 'tracing again' exits exceptions faults rec
guests fourth 4
# And their end, while there is no KVM.
unload end
finish exits exceptions faults rec
recorded rec
load
other_build
dmesg >/out/dmesg
