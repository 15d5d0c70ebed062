#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Tests tools/lint.sh: that each check finds what it is there for, where it is, and nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0
user_side='/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */'
kernel_side='/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */'

verdict()
{
	if [ "$1" = "$2" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED %s\n' "$3: wanted '$2', got '$1'"
}

# Runs a check on the tree, prints the places it names: FILE:LINE, or the whole line.
places()
{
	local out

	out=$(cd "$tree" && BUILD=build tools/lint.sh "$1" 2>&1) && return 0
	sed -n '2,$p' <<<"$out" | grep -v '^lint: ' | sed -E 's/^([^ :]+:[0-9]+):.*/\1/' |
		paste -sd ' '
}

# try CHECK FILE LINES: with the text on stdin as FILE, the check names these lines of it.
try()
{
	local line want=''

	for line in $3; do want+="${want:+ }$2:$line"; done
	mkdir -p "$tree/${2%/*}"
	cat >"$tree/$2"
	verdict "$(places "$1")" "$want" "$1 of $(tail -n +2 "$tree/$2" | tr -s '\n\t' ' ')"
	rm "$tree/$2"
}

# traced LINES BODY: a tp_btf program of two pointers; line 5 is the body's first.
traced()
{
	try null_checks bpf/t.bpf.c "$1" <<END
$kernel_side
SEC("?tp_btf/kvm_exit")
int BPF_PROG(t, struct kvm_vcpu *vcpu, u32 isa, const struct kvm *kvm)
{
$2
	return 0;
}
END
}

classic()
{
	try tp_returns bpf/t.bpf.c "$1" <<END
$kernel_side
SEC("?tp/kvm/kvm_exit")
int t(struct raw *ctx)
{
$2
}
END
}

# include LINES FILE NAME: FILE includes NAME, with its quotes or brackets.
include()
{
	try include_directions "$2" "$1" <<<"$user_side
#include $3"
}

lines()
{
	local i

	for ((i = 0; i < $1; i++)); do echo '	x();'; done
}

base()
{
	local file

	mkdir -p "$tree"/{tools,build,user/{lib,decode,live,cmd,man},bpf/shared,vmlinux/x86}
	cp "$here"/{lint.sh,lint.py,progress.sh} "$tree/tools"
	cp "$here/../.clang-format" "$tree"
	for file in user/{lib,decode,live,cmd}/a.h; do echo "$user_side" >"$tree/$file"; done
	for file in bpf/a.bpf.h bpf/shared/a.h vmlinux/x86/vmlinux.h; do
		echo "$kernel_side" >"$tree/$file"
	done
}

sources()
{
	try spdx user/lib/t.c '' <<<"$user_side"
	try spdx user/lib/t.c 1 <<<"$kernel_side"
	try spdx bpf/t.bpf.c 1 <<<"$user_side"
	try spdx bpf/t.bpf.c '' <<<"$kernel_side"
	try spdx tests/t 1 <<<'#!/bin/sh'
	try spdx tests/t '' <<<'text'
	try file_length user/lib/t.c 1 < <(lines 701)
	try file_length user/lib/t.c '' < <(lines 700)
	try file_length user/lib/t.def '' < <(lines 701)
	try function_length user/lib/t.c 2 < <(echo 'int f(void)'; echo '{'; lines 71; echo '}')
	try function_length user/lib/t.c '' < <(echo 'int f(void)'; echo '{'; lines 70; echo '}')
	try function_length user/lib/t.c '' < <(echo 'int f[] = {'; lines 71; echo '};')
	try blanks user/lib/t.c '2 3' < <(printf 'a\nb \n\t\n')
	try blanks user/lib/t.c 1 < <(printf 'a')
	try blanks user/lib/t.c 2 < <(printf 'a\n\n')
	try unfinished user/lib/t.c 2 < <(printf '\n/* TO''DO */\n')
	try kernel_version user/lib/t.c '3' <<<'/* not uname() */
char s[] = "uname()";
int f = uname(&u);'
	try kernel_version bpf/t.bpf.c '1 2' <<<'extern int LINUX_KERNEL_VERSION __kconfig;
int f = LINUX_VERSION_CODE;'
	try format user/lib/t.c 1 <<<"$user_side
 int x;"
	# shellcheck disable=SC2016 # that is the fault
	try shellcheck tests/t.sh 3 <<<'#!/bin/sh
x="a b"
echo $x'
	try shellcheck tests/t '' <<<'#!/bin/busybox sh
echo'
}

directions()
{
	include '' user/decode/t.c '"../lib/a.h"'
	include '' user/decode/t.c '<stdio.h>'
	include 2 user/lib/t.c '"../decode/a.h"'
	include 2 user/decode/t.c '"../../bpf/shared/a.h"'
	include '' user/lib/t.c '"../../bpf/shared/a.h"'
	include 2 user/lib/t.c '"../../bpf/a.bpf.h"'
	include 2 user/lib/t.c '"absent.h"'
	include 2 user/live/t.c '"../cmd/a.h"'
	include '' user/live/t.c '<bpf/libbpf.h>'
	include '' user/live/t.c '"kvmtrace.skel.h"'
	include 2 user/cmd/t.c '<bpf/libbpf.h>'
	include 2 user/cmd/t.c '"kvmtrace.skel.h"'
	include '' user/main.c '"cmd/a.h"'
	include 2 user/main.c '"live/a.h"'
	include 1 user/novel/t.c '<stdio.h>'
	include '' bpf/t.bpf.c '"vmlinux.h"'
	include '' bpf/t.bpf.c '<bpf/bpf_helpers.h>'
	include '' bpf/t.bpf.c '"shared/a.h"'
	include 2 bpf/t.bpf.c '<linux/kvm.h>'
	include 2 bpf/t.bpf.c '"../user/lib/a.h"'
	include 2 bpf/shared/t.h '"../a.bpf.h"'
}

pointers()
{
	traced '' '	if (!vcpu)
		return 0;
	use(vcpu->arch);'
	traced '' '	if (isa == 1 || !vcpu || !kvm)
		return 0;
	use(vcpu, kvm);'
	traced '' '	if (vcpu)
		use(vcpu);'
	traced '' '	if (vcpu && vcpu->arch) {
		use(vcpu);
	}'
	traced '' '	/* vcpu->arch */
	use(isa);'
	traced 5 '	use(vcpu);'
	traced 6 '	u32 x;
	u32 id = vcpu->vcpu_id;'
	traced 5 '	if (vcpu->arch || !vcpu)
		return 0;'
	traced 5 '	if (!vcpu && isa)
		return 0;
	use(vcpu);'
	traced 5 '	if (!vcpu)
		use(isa);
	use(vcpu);'
	traced 7 '	if (vcpu)
		use(vcpu);
	use(vcpu);'
	traced 7 '	if (!vcpu)
		return 0;
	use(kvm);'
	try null_checks bpf/t.bpf.c 2 <<<"$kernel_side
SEC(\"tp_btf/kvm_exit\")
int t(u64 *ctx)
{
	return 0;
}"
	try null_checks bpf/t.bpf.c 2 <<<"$kernel_side
SEC(\"tp_btf/kvm_exit\")
int BPF_PROG(t, struct kvm_vcpu *vcpu) {
	return vcpu->vcpu_id;
}"
}

returns()
{
	classic '' '	if (!ctx)
		return 1;
	return 1;'
	classic 6 '	if (!ctx)
		return 0;
	return 1;'
	classic 5 '	return helper(ctx);'
	classic 2 '	helper(ctx);'
}

# manual PAGE COMPLAINTS
manual()
{
	printf '%s\n' "$1" >"$tree/user/man/kvmtrace.1"
	verdict "$(places man_page)" "$2" "man_page of $1"
}

man_pages()
{
	local page=user/man/kvmtrace.1

	verdict "$(places man_page)" "build/kvmtrace is not built: run make first" "man_page, no program"
	cat >"$tree/build/kvmtrace" <<-'END'
		#!/bin/sh
		case $1 in
		--help) printf 'usage\n\ncommands:\n  exits  why\n\n  kvmtrace COMMAND --help\n' ;;
		exits) printf 'usage\n  -d, --duration SEC  long\n      --hist\n  kvmtrace -x\n' ;;
		esac
	END
	chmod +x "$tree/build/kvmtrace"
	verdict "$(places man_page)" "$page is missing" "man_page, no page"
	manual 'exits \fB\-d\fR, \fB\-\-duration\fR \-\-hist' ''
	manual 'exits .Fl d , Fl -duration , Fl Fl hist' ''
	manual 'exits --duration --hist' "$page: lacks -d of kvmtrace exits"
	manual 'exits -d --durations --hist' \
		"$page: lacks --duration of kvmtrace exits $page: has --durations, which no command has"
	manual '-d --duration --hist' "$page: lacks the command exits"
}

base
sources
directions
pointers
returns
man_pages
printf 'lint: %d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
