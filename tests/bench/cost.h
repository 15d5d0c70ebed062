/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the bench's program inside an emulated host finds out about it, about tools and their files. */
#ifndef KT_BENCH_COST_H
#define KT_BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KT_NSEC 1000000000ull

/* All processes of one session: a tool and what it started. */
struct kt_session_use {
	uint64_t cpu_ns;   /* on the CPU so far */
	uint64_t switches; /* voluntary: it slept and was woken */
	uint64_t rss_kb;
	uint64_t bpf_bytes;  /* "memlock" of BPF maps and programs, in fdinfo */
	uint64_t bpf_ring;   /* bytes that BPF programs have put into ring buffers so far */
	uint64_t perf_bytes; /* mmapped perf rings */
};

/* ns that any task but the idle one has spent on the first CPU. */
uint64_t kt_busy_ns(void);
uint64_t kt_now_ns(void);
void kt_sleep_ns(uint64_t ns);
void kt_session_use(pid_t session, struct kt_session_use *use);

/* ftrace's buffer for all CPUs, 0 when no event is switched on there. */
uint64_t kt_ftrace_bytes(void);
/* Records that got into that buffer of the first CPU, and those that did not or were overwritten. */
void kt_ftrace_records(uint64_t *records, uint64_t *lost);

/* Samples and lost records of a perf.data file; false for what is none. */
bool kt_perf_data(const char *path, uint64_t *samples, uint64_t *lost);

/* Reads a small file; returns its length, or 0. What does not fit is left out. */
size_t kt_read_file(const char *path, char *buf, size_t size);
_Noreturn void kt_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
