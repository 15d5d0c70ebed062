/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a capture says about the host: a fact, which is a JSON object. No name of the host or of
 * users, no addresses. What the host doesn't say is null.
 *
 *	kernel		 {"release", "version", "machine"}
 *	distribution	 PRETTY_NAME of os-release
 *	cpu		 {"vendor", "model_name", "family", "model", "stepping", "microcode", "online"
 *			 (how many), "hypervisor" (true: the host is itself a guest)}
 *	memory_bytes
 *	modules		 {"kvm": {PARAMETER: VALUE, …}, …}: KVM's, built in or loaded
 *	vulnerabilities	 {"meltdown": "Not affected", …}
 *	cmdline		 of the kernel, without secrets (secrets.h)
 */
#ifndef KT_EVENT_HOST_H
#define KT_EVENT_HOST_H

/*
 * The text, malloced. proc_root: "/proc", with etc/os-release beside it; sys_root: "/sys".
 */
char *kt_host_fact(const char *proc_root, const char *sys_root);

#endif
