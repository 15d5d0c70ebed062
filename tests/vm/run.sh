#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Runs a command as root on an emulated host: a stock Debian kernel with its real kvm_amd under
# QEMU's TCG, or its real kvm_intel under Bochs. README.md describes it; --help lists the options.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
vm_failure=125

# Nothing a test prints comes near this; a runaway loop must not fill the disk.
FILE_LIMIT_KB=2097152

usage()
{
	cat <<END
usage: ${0##*/} [OPTION]... -- COMMAND...
  --intel              an Intel host; else it is an AMD one
  --series SERIES      kernel series: 5.10, 6.1 (default), 6.12, 7.2
  --smp N              CPUs of an AMD host (default 1)
  --mem MB             its memory (default 1024)
  --icount             virtual time counts instructions: figures that repeat (AMD, one CPU)
  --timeout SEC        limit for the command, in the host's time (default 60)
  --add FILE[:PATH]    put FILE, with the libraries it needs, into the host; default /w
  --perf               put perf there
  --env NAME=VALUE     set an environment variable of the command
  --param MODULE.NAME=VALUE  load a module with a parameter, as in kvm-amd.npt=0
  --cmdline ARGS       append to the kernel's command line
  --out DIR            bring back into DIR what the command leaves in /out
  --log FILE           keep the kernel's console
One COMMAND word is shell code, several are a program and its arguments. They run in /w.
Exit status: the command's; 125 when the host did not boot, panicked or timed out.
END
}

bad()
{
	vm_say "$*"
	usage >&2
	exit 125
}

number()
{
	case $2 in
	'' | 0* | *[!0-9]*) bad "$1 wants a number above 0, not '$2'" ;;
	esac
	[ ${#2} -le 7 ] || bad "$1 $2 is too much"
}

quote()
{
	local q="'\\''"

	printf "'%s'" "${1//\'/$q}"
}

# Options with a value.
option()
{
	case $1 in
	--series) series=$2 ;;
	--smp) number "$1" "$2"; smp=$2 ;;
	--mem) number "$1" "$2"; mem=$2 ;;
	--timeout) number "$1" "$2"; limit=$2 ;;
	--add) adds+=(--add "$2") ;;
	--env)
		[[ $2 =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || bad "--env wants NAME=VALUE"
		envs+="export ${2%%=*}=$(quote "${2#*=}")"$'\n'
		;;
	--param)
		[[ $2 =~ ^kvm([-_](amd|intel))?\.[a-z0-9_]+=[A-Za-z0-9,_-]+$ ]] ||
			bad "--param wants kvm.NAME=VALUE, kvm-amd.NAME=VALUE or kvm-intel.NAME=VALUE"
		params+="${2/#kvm_/kvm-}"$'\n'
		;;
	--cmdline) cmdline=$2 ;;
	--out) out=$2 ;;
	--log) log=$2 ;;
	*) bad "unknown option $1" ;;
	esac
}

parse()
{
	emulator=qemu series=6.1 smp=1 mem=1024 limit=60 icount='' perf='' out='' log='' cmdline=''
	adds=() envs='' params=''
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h) usage; exit 0 ;;
		--intel) emulator=bochs; shift ;;
		--icount) icount=1; shift ;;
		--perf) perf=1; shift ;;
		--) shift; break ;;
		-*)
			[ $# -ge 2 ] || bad "$1 wants a value, or is unknown"
			option "$1" "$2"
			shift 2
			;;
		*) break ;;
		esac
	done
	[ $# -gt 0 ] || bad "no command"
	command=("$@")
}

# What the guest runs and is told, as files of the initramfs.
write_job()
{
	local word

	{
		printf '%s' "$envs"
		if [ ${#command[@]} -eq 1 ]; then
			printf '%s\n' "${command[0]}"
		else
			printf 'exec'
			for word in "${command[@]}"; do printf ' %s' "$(quote "$word")"; done
			echo
		fi
	} >"$work/job.sh"
	printf 'limit=%s\nwant_out=%s\ntransport=%s\n' "$limit" "${out:+1}" "$ports" >"$work/vm.conf"
	printf '%s' "${params//./ }" >"$work/vm.params"
	adds+=(--add "$work/job.sh:/job.sh" --add "$work/vm.conf:/etc/vm.conf"
		--add "$work/vm.params:/etc/vm.params")
}

add_perf()
{
	local lines

	lines=$("$here/perf.sh") || exit 125
	mapfile -t lines <<<"$lines"
	[ ${#lines[@]} -eq 1 ] || adds+=(--root "${lines[1]}")
	adds+=(--add "${lines[0]}:/usr/bin/perf")
}

# launch PROGRAM ARGUMENT…: starts the emulator. Should we be killed outright, it goes with us.
launch()
{
	(
		cd "$work"
		ulimit -f "$FILE_LIMIT_KB" -c 0
		exec setpriv --pdeathsig KILL "$@" </dev/null >>emulator.log 2>&1
	) &
	host=$!
}

follow()
{
	tail -c +1 -s 0.1 -f --pid="$host" "$work/stdout" &
	tails=$!
	tail -c +1 -s 0.1 -f --pid="$host" "$work/stderr" >&2 &
	tails+=" $!"
}

alive()
{
	kill -0 "$1" 2>/dev/null
}

kill_host()
{
	local tries=0

	[ -n "${host:-}" ] || return 0
	kill -TERM "$host" 2>/dev/null || :
	while alive "$host" && [ $((tries += 1)) -lt 20 ]; do sleep 0.1; done
	kill -KILL "$host" 2>/dev/null || :
	wait "$host" 2>/dev/null || :
	host=
}

# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	trap '' INT TERM HUP
	kill_host
	# shellcheck disable=SC2086 # a list
	[ -z "${tails:-}" ] || kill $tails 2>/dev/null || :
	if [ -n "${work:-}" ]; then
		[ -z "$log" ] || [ ! -e "$work/console" ] || cp "$work/console" "$log" || :
		rm -rf "$work"
	fi
	exit "${verdict:-125}"
}

finish()
{
	verdict=$1
	exit "$1"
}

# How the run went wrong, then the console's end: the kernel's words of it.
fail()
{
	kill_host
	# shellcheck disable=SC2086 # a list
	wait $tails || :
	vm_say "$*"
	{
		host_words | head -c 2000
		tr -d '\000-\010\013-\037\177' <"$work/console" | tail -n 40
	} >&2 2>/dev/null || :
	finish 125
}

# What the console says of the end of a host that reported none.
death()
{
	local words

	words=$(tr -d '\r' <"$work/console" | sed -nE 's/.*(Kernel panic - |init: )/\1/p' | tail -n 1)
	printf 'the host died before the command ended%s\n' "${words:+: $words}"
}

# A port whose file cannot grow keeps the guest waiting, and what it still holds is lost.
room()
{
	head -c 65536 /dev/zero 2>/dev/null >"$work/room"
}

# Is there a line of this kind in what the guest reported?
told()
{
	host_reports | grep -q "^$1"
}

# Waits for the end of the emulator, which the guest brings about, no longer than the limits allow.
supervise()
{
	local end=$((SECONDS + BOOT_LIMIT)) phase=boot pid

	while alive "$host"; do
		if [ $phase = boot ] && told start; then
			phase=job
			end=$((SECONDS + limit + END_LIMIT))
		elif [ $phase = job ] && told exit; then
			phase=off
			end=$((SECONDS + OFF_LIMIT))
		fi
		if [ "$SECONDS" -ge "$end" ]; then
			case $phase in
			boot) fail "the host did not boot within $BOOT_LIMIT s" ;;
			job) fail "timed out: the host hangs, $END_LIMIT s past the limit of $limit s" ;;
			esac
			kill_host
			break
		fi
		for pid in $tails; do
			# Whoever read our output went away.
			alive "$pid" || ! alive "$host" || finish 141
		done
		read -rt 0.1 -u "$idle" || :
	done
	wait "$host" 2>/dev/null || :
	host=
}

report()
{
	local word value status='' late='' error=''

	while read -r word value; do
		case $word in
		exit) status=$value ;;
		late) late=1 ;;
		error) error=$value ;;
		esac
	done < <(host_reports)
	# shellcheck disable=SC2086 # a list
	wait $tails || :
	room || fail "no room left in ${TMPDIR:-/tmp} for the command's output"
	[ -z "$error" ] || fail "the host failed: $error"
	[ -n "$status" ] || fail "$(death)"
	[ -z "$out" ] || host_files | tar -xf - -C "$out" --warning=no-timestamp --no-same-owner \
		--no-same-permissions ||
		fail "cannot unpack the files the command left"
	[ -z "$late" ] || fail "timed out: the command was killed after $limit s"
	finish "$status"
}

parse "$@"
# shellcheck source=tests/vm/qemu.sh
. "$here/$emulator.sh"
host_check
vm_need setpriv tail tar mkfifo
trap cleanup EXIT
trap 'finish 130' INT
trap 'finish 143' TERM HUP
[ -z "$out" ] || mkdir -p -- "$out"
kernel=$("$here/kernel.sh" "$series")
vmlinuz=$(vm_vmlinuz "$kernel")
work=$(mktemp -d)
mkfifo "$work/idle"
exec {idle}<>"$work/idle"
touch "$work"/{stdout,stderr,files,status,console,emulator.log}
write_job
[ -z "$perf" ] || add_perf
"$here/initramfs.sh" "$kernel" "$work/initrd" --vendor "$vendor" "${adds[@]}"
host_start
follow
supervise
report
