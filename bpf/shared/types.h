/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Integer types that both sides spell the same way. The BPF side gets them from vmlinux.h;
 * user space defines them here. long long everywhere so that %llu and PRIx64 quarrels don't arise.
 */
#ifndef KT_SHARED_TYPES_H
#define KT_SHARED_TYPES_H

#ifndef __bpf__
#include <stdbool.h>

typedef signed char s8;
typedef unsigned char u8;
typedef short s16;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;
#endif

#endif
