/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records of the rings as rows of a capture, and back again. What the flags of a record say is not
 * valid is zero in a row, whatever the record has there; all else comes back as it was, so that
 * what is printed of a capture is what was printed live. A capture may be made up: whatever a row
 * holds, the record is one that the kernel side could have sent, as far as memory is concerned.
 */
#ifndef KT_STORE_CONVERT_H
#define KT_STORE_CONVERT_H

#include "../../bpf/shared/event.h"
#include "kinds.h"

void kt_row_of_exception(struct kt_row_exception *row, const struct kt_exception *e);
void kt_exception_of_row(struct kt_exception *e, const struct kt_row_exception *row);
void kt_row_of_fault(struct kt_row_fault *row, const struct kt_fault *f);
void kt_fault_of_row(struct kt_fault *f, const struct kt_row_fault *row);

#endif
