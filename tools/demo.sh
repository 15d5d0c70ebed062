#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tools/demo.sh [own|emulated]
# Installs what is missing, builds, starts a guest that misbehaves and lets kvmtrace watch it: on
# this machine's own KVM where that can be traced, else on an emulated host, unless told where.
set -euo pipefail
cd "$(dirname "$0")/.."
me=demo
. tools/progress.sh
series=6.1
build=${BUILD:-build}
guest=$build/tests/guest/g_misbehave

# Runs in an empty directory, under bash here and under busybox on the emulated host. The guest
# waits until kvmtrace is ready, so none of what it does is missed however slow the machine is.
# shellcheck disable=SC2016 # expanded there
JOB='
watch()
{
	rounds=$1 rate=$2
	shift 2
	echo
	echo "\$ kvmtrace $*"
	rm -f go
	g_misbehave --name win11-demo --wait-file go -n $rounds --rate $rate >guest.log 2>&1 &
	guest=$!
	kvmtrace "$@" --vm win11-demo 2>messages &
	tracer=$!
	tries=0
	until grep -q ": tracing" messages 2>/dev/null || [ $tries -ge 300 ]; do
		kill -0 $tracer 2>/dev/null || break
		sleep 0.1
		tries=$((tries + 1))
	done
	: >go
	wait $tracer || failed=$?
	grep -v ": tracing" messages >&2
	kill $guest 2>/dev/null
	wait $guest 2>/dev/null
	case $? in
	0 | 143) ;;
	*) cat guest.log >&2 ;;
	esac
}
failed=0
echo "Every exception that KVM injects, as it happens. The guest win11-demo reads an MSR that does"
echo "not exist (#GP), executes UD2 (#UD), and after 5 seconds dies of a triple fault."
watch 10 8 exceptions -d 6
echo
echo "Why the guest exits to KVM, and how long each exit takes, summed up in the kernel."
watch 100000 2000 exits --hist -d 4
exit $failed
'

# Can this machine's own KVM be watched? If not, says why.
own_kvm()
{
	if [ "$(id -u)" -ne 0 ]; then
		echo "tracing this machine's own KVM takes root"
	elif [ ! -c /dev/kvm ]; then
		echo "this machine has no /dev/kvm"
	elif [ ! -e /sys/module/kvm_intel ] && [ ! -e /sys/module/kvm_amd ]; then
		echo "this machine's KVM is neither kvm_intel nor kvm_amd and raises no kvm_exit"
	elif ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
		echo "this machine's CPU has neither VMX nor SVM"
	elif [ ! -e /sys/kernel/btf/vmlinux ]; then
		echo "this machine's kernel has no BTF"
	else
		return 0
	fi
	return 1
}

run_own()
{
	local path

	path=$(realpath "$build"):$(realpath "${guest%/*}"):$PATH
	(cd "$work" && PATH=$path timeout --foreground -k 5 90 bash -c "$JOB")
}

run_emulated()
{
	timeout --foreground -k 10 300 tests/vm/run.sh --series "$series" --timeout 120 \
		--add "$build/kvmtrace" --add "$guest" -- "$JOB"
}

# try WHERE: the demo itself; fails unless kvmtrace really showed what it should.
try()
{
	local status=0 shown=$work/shown

	echo
	"run_$1" </dev/null | tee "$shown" || status=$?
	echo
	if ! grep -q '^[0-9:.]* win11-demo vcpu0 vector=13 #GP .*RDMSR 0xdead' "$shown"; then
		say "kvmtrace exceptions did not show the guest's #GP"
	elif ! grep -qE '^win11-demo.* CPUID +[1-9]' "$shown"; then
		say "kvmtrace exits did not show the guest's CPUID exits"
	elif [ "$status" -ne 0 ]; then
		say "kvmtrace ended with status $status"
	else
		return 0
	fi
	return 1
}

make_things()
{
	tools/deps.sh "$1" || exit 1
	quietly "building" make -j"$(nproc)" all "$guest" || die "it does not build"
}

on_own()
{
	say "on this machine's own KVM"
	make_things build
	try own
}

on_emulated()
{
	say "on an emulated host (Debian's kernel $series and its kvm_amd, under QEMU): $1"
	make_things demo
	quietly "getting the kernel, which is fetched once" tests/vm/kernel.sh "$series" ||
		die "no kernel for the emulated host"
	say "booting it"
	try emulated
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
case ${1:-} in
own) on_own || die "failed" ;;
emulated) on_emulated "as you wish" || die "failed" ;;
'')
	if ! why=$(own_kvm); then
		on_emulated "$why" || die "failed"
	elif ! on_own; then
		on_emulated "this machine's own KVM did not do" || die "failed"
	fi
	;;
*)
	echo "usage: tools/demo.sh [own|emulated]" >&2
	exit 2
	;;
esac
say "exceptions and exits were shown; '$build/kvmtrace --help' tells what else there is"
