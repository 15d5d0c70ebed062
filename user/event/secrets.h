/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Removes from command lines what nobody wants to find in a bug report: passwords, tokens, keys, what
 * a guest is set up with. What may be one goes: better too much than too little. It knows words, not
 * programs, and a secret under a harmless name stays.
 *
 * Goes, and "[removed]" stands in its place:
 *	the value of key=value, key:value and JSON's "key":"value" where the key looks secret
 *	the argument behind --option where the option does, unless it begins with a dash itself
 *	user and password of URLs
 *	data= of QEMU's -object, string= of -fw_cfg but for OVMF's own, value= of -smbios
 * A value reaches as far as it may: to a single comma, the closing quote, or the argument's end; of a
 * kernel's command line (-append, --cmdline) to the next blank.
 */
#ifndef KT_EVENT_SECRETS_H
#define KT_EVENT_SECRETS_H

#include "../lib/str.h"

/* Calls add for each of the NUL-separated arguments, n bytes, the last perhaps without its NUL. */
void kt_secrets_args(const char *args, size_t n, void (*add)(void *ctx, const char *arg),
		     void *ctx);
/*
 * Appends the command line of a kernel. host: what names the machine or its addresses (ip=,
 * systemd.hostname=) goes, too.
 */
void kt_secrets_line(struct kt_str *out, const char *line, bool host);

#endif
