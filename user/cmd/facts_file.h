/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Facts of a host in a file: --facts and --save-facts. */
#ifndef KT_CMD_FACTS_FILE_H
#define KT_CMD_FACTS_FILE_H

#include "../live/facts.h"

/* path "-": standard input. Logs what is wrong. */
enum kt_status kt_facts_load(const char *path, struct kt_facts *facts);
enum kt_status kt_facts_save(const char *path, const struct kt_facts *facts);

#endif
