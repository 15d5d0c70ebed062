/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tells when KVM goes and comes, without polling: the kernel announces the arrival and the removal
 * of /dev/kvm, which a vendor module (kvm_amd, kvm_intel, …) registers when it is ready and gives up
 * when it begins to go. The removal is heard before the module has gone; no VM exists then, and none
 * can be made.
 */
#ifndef KT_LIVE_KVM_WATCH_H
#define KT_LIVE_KVM_WATCH_H

#include "../lib/util.h"

enum kt_kvm_change {
	KT_KVM_SAME, /* nothing that is about KVM */
	KT_KVM_WENT, /* the vendor module is being unloaded */
	KT_KVM_CAME, /* a vendor module has been loaded: VMs can be made */
	KT_KVM_LOOK, /* an announcement may have been missed: ask kt_kvm_there() */
};

/*
 * A file descriptor that is readable when there may be something to tell; close(2) it. Needs no
 * permission. -1 where it cannot be had, errno says why. To miss nothing, open it before looking
 * whether KVM is there.
 */
int kt_kvm_watch_open(void);
/* Takes what has come, never waits. Of several changes the last one counts. */
enum kt_kvm_change kt_kvm_watch_drain(int fd);

/* A vendor module has registered /dev/kvm; true upon KT_KVM_CAME, false upon KT_KVM_WENT. */
bool kt_kvm_there(void);

/*
 * What one message of the kernel says (lib/kobject_uevent.c): "ACTION@DEVPATH", then strings
 * "NAME=VALUE", each with a NUL at its end. Whatever it holds, no more than len bytes are read.
 */
enum kt_kvm_change kt_kvm_message(const char *message, size_t len);

#endif
