#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Compares user/decode/tables with a kernel's UAPI headers.
#
# usage: tools/check_tables.sh DIR [TABLES]
#
# DIR is where a linux-libc-dev package was unpacked (dpkg -x), or any tree that has asm/vmx.h,
# asm/svm.h, asm/kvm.h of x86 and linux/kvm.h below it. Says which constants, and which spellings
# of the kernel's own name tables, ours lack or have differently. Entries that only we have are no
# fault: the manuals know more than the kernel. Exit status: 0 same, 1 different, 2 cannot tell.
set -u

die()
{
	echo "check_tables: $*" >&2
	exit 2
}

[ $# -eq 1 ] || [ $# -eq 2 ] || die "usage: check_tables.sh DIR [TABLES]"
dir=$1
tables=${2:-$(dirname "$0")/../user/decode/tables}
[ -d "$dir" ] || die "$dir: no such directory"

# header NAME: the first of the places where distributions and the kernel put x86's headers
header()
{
	for place in usr/include/x86_64-linux-gnu usr/include \
		arch/x86/include/uapi include/uapi .; do
		if [ -f "$dir/$place/$1" ]; then
			echo "$dir/$place/$1"
			return
		fi
	done
	die "$dir: no $1 below it"
}

vmx=$(header asm/vmx.h) && svm=$(header asm/svm.h) && x86=$(header asm/kvm.h) &&
	kvm=$(header linux/kvm.h) || exit 2
for table in vmx_exit vmx_flag svm_exit svm_exit_high svm_alias user_exit vector; do
	[ -f "$tables/$table.def" ] || die "$tables/$table.def: no such file"
done

awk -v tables="$tables" -v vmx="$vmx" -v svm="$svm" -v x86="$x86" -v kvm="$kvm" '
# A C constant: decimal or hexadecimal, with suffix. -1 is 0xffffffff: the tracepoint has 32 bits.
function number(text,    i, n, digit) {
	text = tolower(text)
	sub(/[ul]+$/, "", text)
	if (text == "-1")
		return 4294967295
	if (text ~ /^[0-9]+$/ && text !~ /^0./)
		return text + 0
	if (text !~ /^0x[0-9a-f]+$/)
		return -1
	for (i = 3; i <= length(text); i++) {
		digit = index("0123456789abcdef", substr(text, i, 1)) - 1
		n = n * 16 + digit
	}
	return n + 0
}

function quoted(line) {
	sub(/^[^"]*"/, "", line)
	sub(/".*/, "", line)
	return line
}

function fault(text) {
	print text
	faults++
}

# X(value, "NAME"…) lines of a file into value_of["table NAME"], name_of["table VALUE"]
function load(table, file,    line, value, name) {
	file = tables "/" (file ? file : table) ".def"
	while ((getline line < file) > 0) {
		if (line !~ /^X\(/)
			continue
		value = line
		sub(/^X\(/, "", value)
		sub(/,.*/, "", value)
		name = quoted(line)
		value_of[table " " name] = number(value)
		name_of[table " " number(value)] = name
		spelt[table " " number(value) " " tolower(name)] = 1
	}
	close(file)
}

function want(table, constant, value, name) {
	checked[table]++
	if (!((table " " name) in value_of)) {
		if ((table " " value) in name_of)
			fault(table ": " constant " " value " is called " name_of[table " " value])
		else
			fault(table ": " constant " " value " is missing")
	} else if (value_of[table " " name] != value) {
		fault(table ": " constant " is " value ", not " value_of[table " " name])
	}
}

# {CONSTANT, "spelling"} of a name table, or {BASE + VECTOR, "spelling"}; values are in define[]
function symbolic(line, table, alias,    parts, value, text) {
	text = quoted(line)
	sub(/^[^{]*\{[ \t]*/, "", line)
	sub(/[ \t]*,.*/, "", line)
	value = 0
	if (split(line, parts, /[ \t]*\+[ \t]*/) == 2)
		value = define[parts[2]]
	if (!(parts[1] in define)) {
		fault(table ": cannot tell the value of " line)
		return
	}
	value += define[parts[1]]
	checked[table " spellings"]++
	if (!((table " " value " " tolower(text)) in spelt) &&
	    !((alias " " value " " tolower(text)) in spelt))
		fault(table ": the kernel prints \"" text "\" for " line)
}

function suffix(name, prefix) {
	return substr(name, length(prefix) + 1)
}

function read_defines(file,    line, word) {
	while ((getline line < file) > 0) {
		if (split(line, word) >= 3 && word[1] == "#define" && number(word[3]) >= 0) {
			define[word[2]] = number(word[3])
			order[++defines] = word[2]
		}
	}
	close(file)
}

function read_names(file, table, alias,    line) {
	while ((getline line < file) > 0)
		if (line ~ /^[ \t]*\{[ \t]*(EXIT_REASON|VMX_EXIT_REASONS|SVM)_/)
			symbolic(line, line ~ /VMX_EXIT_REASONS_/ ? "vmx_flag" : table, alias)
	close(file)
}

# KVM_EXIT_HYPERV_SYNIC belongs to KVM_EXIT_HYPERV and is no exit of its own.
function is_detail(name,    at) {
	for (at = length(name); at > length("KVM_EXIT_"); at--)
		if (substr(name, at, 1) == "_" && (substr(name, 1, at - 1) in define))
			return 1
	return 0
}

function check(name, value) {
	if (name ~ /^EXIT_REASON_/)
		want("vmx_exit", name, value, suffix(name, "EXIT_REASON_"))
	else if (name == "SVM_EXIT_EXCP_BASE" || name == "SVM_EXIT_LAST_EXCP")
		return # a row of 32, see exceptions()
	else if (name ~ /^SVM_EXIT_/)
		want("svm_exit", name, value, suffix(name, "SVM_EXIT_"))
	else if (name ~ /^SVM_VMGEXIT_/ && value >= 2147483648) # below: arguments of those above
		want("svm_exit", name, value, suffix(name, "SVM_"))
	else if (name ~ /^KVM_EXIT_/ && !is_detail(name))
		want("user_exit", name, value, suffix(name, "KVM_EXIT_"))
	else if (name ~ /^[A-Z][A-Z]_VECTOR$/)
		want("vector", name, value, "#" substr(name, 1, 2))
}

function exceptions(first, last,    code) {
	for (code = first; code <= last; code++)
		if (!(("svm_exit " code) in name_of))
			fault("svm_exit: exception " code - first " is missing")
}

# The header gives flags as masks, the table as bits.
function masks(    key, part, mask, bit) {
	for (key in value_of)
		if (key ~ /^vmx_flag /) {
			split(key, part)
			mask = 1
			for (bit = 0; bit < value_of[key]; bit++)
				mask *= 2
			spelt["vmx_flag " mask " " tolower(part[2])] = 1
		}
}

BEGIN {
	CONVFMT = OFMT = "%.0f" # mawk would write numbers of 32 bits as 4.29497e+09
	load("vmx_exit")
	load("vmx_flag")
	load("svm_exit")
	load("svm_exit", "svm_exit_high")
	load("svm_alias")
	load("user_exit")
	load("vector")
	masks()
	read_defines(vmx)
	read_defines(svm)
	read_defines(x86)
	read_defines(kvm)
	for (i = 1; i <= defines; i++)
		check(order[i], define[order[i]])
	exceptions(define["SVM_EXIT_EXCP_BASE"], define["SVM_EXIT_LAST_EXCP"])
	read_names(vmx, "vmx_exit", "none")
	read_names(svm, "svm_exit", "svm_alias")
	# Headers that moved or changed shape must not pass for headers that agree.
	split("vmx_exit,60,svm_exit,100,user_exit,30,vector,15,vmx_exit spellings,60," \
	      "svm_exit spellings,100,vmx_flag spellings,1", least, ",")
	for (i = 1; i in least; i += 2) {
		printf "%s: %d checked\n", least[i], checked[least[i]]
		if (checked[least[i]] < least[i + 1]) {
			print "check_tables: " least[i] ": too few in the headers" > "/dev/stderr"
			exit 2
		}
	}
	exit faults ? 1 : 0
}'
