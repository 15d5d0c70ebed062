/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef KT_GUEST_STUBS_H
#define KT_GUEST_STUBS_H

#include "code.h"

/* Assembled in stubs.c; the symbols are global there. */
extern const unsigned char kt_guest_prelude[], kt_guest_prelude_end[];
extern const unsigned char kt_guest_stubs[], kt_guest_stubs_end[];

#define KT_STUB_SIZE 16
#define KT_STUB_IRQ  32 /* index of the interrupt's entry point */

#endif
