# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# awk -f tracefs.awk EXPECTATIONS TRACE: compares what guests printed with what tracefs' kvm events say.
# Shows every difference and exits with 1 if there is one. Works with busybox awk and mawk.

BEGIN {
	# The kernel's names (trace event print formats) to codes, for the reasons the guests know.
	n = split("cpuid=0x72 io=0x7b msr=0x7c hlt=0x78 UD@excp=0x46 shutdown=0x7f write_cr4=0x14 " \
		"xsetbv=0x8d hypercall=0x81 npf=0x400 interrupt=0x60 nmi=0x61 smi=0x62 vintr=0x64 " \
		"EXCEPTION_NMI=0x0 EXTERNAL_INTERRUPT=0x1 TRIPLE_FAULT=0x2 INTERRUPT_WINDOW=0x7 " \
		"CPUID=0xa HLT=0xc VMCALL=0x12 CR_ACCESS=0x1c IO_INSTRUCTION=0x1e MSR_READ=0x1f " \
		"MSR_WRITE=0x20 EPT_VIOLATION=0x30 EPT_MISCONFIG=0x31 PREEMPTION_TIMER=0x34 " \
		"XSETBV=0x37 INVALID_STATE@FAILED_VMENTRY=0x80000021 " \
		"invalid_guest_state=0xffffffff 0xffffffff=0xffffffff", names, " ")
	for (i = 1; i <= n; i++) {
		split(names[i], pair, "=")
		sub("@", " ", pair[1])
		code[pair[1]] = pair[2]
	}
	split("0=#DE 6=#UD 11=#NP 13=#GP 14=#PF", names, " ")
	for (i in names) {
		split(names[i], pair, "=")
		vector[pair[2]] = pair[1]
	}
}

function complain(text) {
	print "MISMATCH: " text
	bad = 1
}

function keys(    i, eq) {
	delete k
	for (i = 2; i <= NF; i++) {
		eq = index($i, "=")
		if (eq)
			k[substr($i, 1, eq - 1)] = substr($i, eq + 1)
	}
}

# ---- first file: expectations ----
FNR == NR && $1 == "host" { keys(); isa = k["isa"] }
FNR == NR && $1 == "vm" { keys(); scenario = k["scenario"] }
FNR == NR && $1 == "vcpu" {
	keys()
	who[k["tid"]] = k["pid"] "/" k["vm"] "/" k["vcpu"]
}
FNR == NR && $1 == "expect" {
	keys()
	id = k["pid"] "/" k["vm"] "/" k["vcpu"] " " $2
	if ($2 == "exits") id = id " " k["code"]
	else if ($2 == "exception") {
		id = id " " k["vector"] " " k["error"]
		if (isa != "none") id = id " " k["rip"] " after " k["code"]
	}
	else if ($2 == "fault") {
		id = id " " k["address"] " " k["access"] " " k["rip"]
		if ("error_code" in k) id = id " " k["error_code"]
		if ("qualification" in k) id = id " " k["qualification"]
	}
	else if ($2 == "user") id = id " " k["code"]
	else if ($2 == "pio") id = id " " k["port"] " " k["access"] " " k["size"]
	else if ($2 == "mmio") id = id " " k["address"] " " k["access"] " " k["size"]
	else if ($2 == "hypercall") id = id " " k["nr"]
	else complain("unknown line: " $0)
	want[id] += k["count"]
	match_[id] = k["match"]
	if ("min_total_ns" in k) min_ns[id] = k["min_total_ns"] + 0
}
FNR == NR { next }

# ---- second file: trace, lines such as "CPU 0/KVM-92 [000] d.... 1.5: kvm_exit: vcpu 0 reason …" ----
{
	if (!match($0, /-[0-9]+ +\[[0-9]+\]/))
		next
	tid = substr($0, RSTART + 1, RLENGTH - 1) + 0
	if (!(tid in who) || !match($0, / kvm_[a-z_]+: /))
		next
	event = substr($0, RSTART + 1, RLENGTH - 3)
	rest = substr($0, RSTART + RLENGTH)
	# The time stands before the event's name; with microseconds, which is where precision ends.
	at = substr($0, 1, RSTART - 2)
	sub(/^.* /, "", at)
	nf = split(rest, f, " ")
	w = who[tid]
}
event == "kvm_exit" {
	reason = rest
	sub(/^.*reason /, "", reason)
	sub(/ rip .*$/, "", reason)
	for (i = 1; i < nf; i++) {
		if (f[i] == "rip") rip[tid] = f[i + 1]
		if (f[i] == "info1") info1[tid] = f[i + 1]
	}
	if (!(reason in code)) complain("exit reason " reason)
	else {
		open[tid] = w " exits " code[reason]
		opened[tid] = at
		cause[tid] = code[reason]
		got[open[tid]]++
	}
}
event == "kvm_entry" && tid in open {
	total[open[tid]] += (at - opened[tid] + 0.000001) * 1e9
	delete open[tid]
}
event == "kvm_inj_exception" && rest !~ /reinjected/ {
	error = nf > 1 && f[2] ~ /^\(/ ? substr(f[2], 2, length(f[2]) - 2) : "-"
	# Linux 5.10 prints (0x0) for exceptions without an error code, too.
	if (vector[f[1]] < 8 && error == "0x0") error = "-"
	# The event has no RIP; that of the exit before it will do where there are exits.
	id = w " exception " vector[f[1]] " " error
	if (isa != "none") id = id " " rip[tid] " after " cause[tid]
	got[id]++
}
event == "kvm_page_fault" {
	for (i = 1; i < nf; i++) {
		if (f[i] == "address") address = f[i + 1]
		if (f[i] == "error_code") error = f[i + 1]
	}
	sub(/^0x0*/, "", address)
	# Linux 5.10 cuts the error code to 32 bits; the exit before has it in full.
	if (hex(error) % 4294967296 != hex(info1[tid]) % 4294967296)
		complain("error code " error " of a fault, info1 " info1[tid] " of its exit")
	got[w " fault 0x" address " " fault_of(hex(info1[tid]), rip[tid])]++
}
event == "kvm_userspace_exit" {
	reason = rest
	sub(/^.*\(/, "", reason)
	sub(/\).*$/, "", reason)
	got[w " user " reason]++
}
event == "kvm_pio" {
	sub(/^pio_/, "", f[1])
	got[w " pio " f[3] " " (f[1] == "write" ? "out" : "in") " " f[5]]++
}
event == "kvm_hypercall" { got[w " hypercall " hex(f[2])]++ }
event == "kvm_mmio" && f[2] != "unsatisfied-read" {
	for (i = 1; i < nf; i++) {
		if (f[i] == "len") size = f[i + 1]
		if (f[i] == "gpa") address = f[i + 1]
	}
	got[w " mmio " address " " f[2] " " size]++
}

END {
	for (id in want) {
		if (match_[id] == "exact" ? got[id] + 0 != want[id] : got[id] + 0 < want[id])
			complain(id ": expected " match_[id] " " want[id] ", seen " got[id] + 0)
	}
	for (id in min_ns)
		if (total[id] + 0 < min_ns[id])
			complain(id ": expected " min_ns[id] " ns, seen " total[id] + 0)
	for (id in got) {
		split(id, part, " ")
		if (part[2] != "fault" && !(id in want))
			complain(id ": seen " got[id] ", not expected")
	}
	printf "%s %s: %d expectations\n", bad ? "FAIL" : "ok", scenario, length_of(want)
	exit bad
}

function hex(text,    i, n) {
	sub(/^0x/, "", text)
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n + 0
}

function bit(value, weight) {
	return int(value / weight) % 2
}

# SVM: EXITINFO1, bit 1 write, bit 4 fetch. VMX: EPT qualification, bit 1 write, bit 2 fetch; bits 9 and
# above are not on all CPUs.
function fault_of(value, at,    access, high, low) {
	if (isa == "vmx") value %= 512
	access = bit(value, 2) ? "write" : bit(value, isa == "vmx" ? 4 : 16) ? "fetch" : "read"
	high = int(value / 4294967296)
	low = value % 4294967296
	return access " " at " 0x" (high ? sprintf("%x%08x", high, low) : sprintf("%x", low))
}

function length_of(a,    i, n) {
	for (i in a) n++
	return n
}
