# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# Two CPUs, real time: record at full speed, stopped, bounded and killed.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh
: "${KILLS:=0}" "${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}"
FOREVER=1000000000 # hypercalls

# Of hypercalls each one can be told from the others, so it shows where events are missing.
flood()
{
	trace flood record --buffer 16 --events hypercall -o /out/flood.kvmtrace
	guest flood_guest counted flood g_hypercall -n 50000
	finish flood
	sum_up flood summary summary
}

frozen()
{
	trace frozen record -o /out/frozen.kvmtrace
	freeze frozen &
	echo $! >/tmp/freeze.pid
	counted frozen sh -c 'g_cpuid -n 80000 >/dev/null & g_hypercall -n 80000 >/dev/null; wait'
	wait "$(pid_of freeze)"
	finish frozen
	sum_up frozen summary summary
}

# Files of 1 MiB, the fewest that record takes.
bounded()
{
	once rotate record --size 1M --rotate 3 --events exits,hypercall -o /out/rotate.kvmtrace -- \
		g_hypercall -n 130000
	mv /out/rotate.out /out/rotate.want
	ls /out/rotate.kvmtrace* >/out/rotate.files
	once size record --size 1M --events exits,hypercall -o /out/size.kvmtrace -- \
		g_hypercall -n $FOREVER --timeout 30
	kill "$(pidof g_hypercall)"
}

# chance N: a number of 0 to N, from a generator that begins with SEED.
chance()
{
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	delay=$(((state >> 8) % ($1 + 1)))
}

# 0 to 400 ms after it traces; every fourth time, 0 to 1200 ms after it began, which takes about a second here.
killed()
{
	local i=0 state=$SEED delay

	echo "$SEED" >/out/kills.seed
	mkdir /out/kills
	g_hypercall -n $FOREVER --timeout 600 >/dev/null 2>&1 &
	while [ $i -lt "$KILLS" ]; do
		launch kill record --events exits,hypercall -o "/out/kills/$i.kvmtrace"
		if [ $((i % 4)) -eq 0 ]; then
			chance 1200
		else
			chance 400
			ready kill
		fi
		usleep $((delay * 1000))
		kill -KILL "$(pid_of kill)"
		wait "$(pid_of kill)" 2>/dev/null
		echo "$i $delay $?" >>/out/kills.done
		i=$((i + 1))
	done
	kill "$(pidof g_hypercall)"
}

flood
echo "flood: $(cut -d ' ' -f 1 /proc/uptime) s"
frozen
echo "frozen: $(cut -d ' ' -f 1 /proc/uptime) s"
bounded
echo "bounded: $(cut -d ' ' -f 1 /proc/uptime) s"
[ "$KILLS" -eq 0 ] || killed
echo "killed: $(cut -d ' ' -f 1 /proc/uptime) s"
dmesg >/out/dmesg
