/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the tracing commands do once their options are known; report does the same with a capture. */
#ifndef KT_CMD_VIEWS_H
#define KT_CMD_VIEWS_H

#include "common.h"

struct kt_exits_opts {
	struct kt_common common;
	bool hist;
	u32 by;
	u64 interval_ns;
};

struct kt_exceptions_opts {
	struct kt_common common; /* .cfg.reinjected is ours */
};

struct kt_faults_opts {
	struct kt_common common;
	bool hist;
	u32 top;
};

#define KT_EXITS_BY (KT_BY_REASON | KT_BY_VM)
/* --by, for struct kt_opt: dst is a u32. */
int kt_exits_parse_by(void *dst, const char *text, struct kt_str *why);

enum kt_status kt_exits_run(const struct kt_exits_opts *opts);
enum kt_status kt_exceptions_run(const struct kt_exceptions_opts *opts);
enum kt_status kt_faults_run(const struct kt_faults_opts *opts);
/* Of captures only. */
enum kt_status kt_events_run(const struct kt_common *common);
enum kt_status kt_summary_run(const struct kt_common *common);

#endif
