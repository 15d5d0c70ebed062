/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "kvm_watch.h"

#define KERNEL_GROUP 1 /* udev's own announcements are group 2 */
/* The kernel's messages have 2 KiB of variables and a path at most. */
#define MESSAGE_MAX 8192
#define DRAIN_MAX   64 /* messages; what is left keeps the descriptor readable */

static const struct {
	const char *header;
	enum kt_kvm_change change;
} headers[] = {
	{ "add@/devices/virtual/misc/kvm", KT_KVM_CAME },
	{ "remove@/devices/virtual/misc/kvm", KT_KVM_WENT },
};

/* 4.13 and later mark what somebody caused through a uevent file (udevadm trigger at each boot). */
static bool is_synthetic(const char *p, const char *end)
{
	static const char mark[] = "SYNTH_UUID=";

	for (size_t n; p < end; p += n + 1) {
		n = strnlen(p, end - p);
		if (n >= sizeof(mark) - 1 && memcmp(p, mark, sizeof(mark) - 1) == 0)
			return true;
	}
	return false;
}

enum kt_kvm_change kt_kvm_message(const char *message, size_t len)
{
	size_t header = strnlen(message, len);

	if (header == len) /* not terminated */
		return KT_KVM_SAME;
	for (size_t i = 0; i < KT_ARRAY_SIZE(headers); i++)
		if (strcmp(message, headers[i].header) == 0)
			return is_synthetic(message + header + 1, message + len)
				       ? KT_KVM_SAME
				       : headers[i].change;
	return KT_KVM_SAME;
}

bool kt_kvm_there(void)
{
	/* The link is made before the arrival is announced, and removed before the removal is. */
	return access("/sys/class/misc/kvm", F_OK) == 0;
}

#define WORD(a, b, c, d) ((u32)(a) << 24 | (u32)(b) << 16 | (u32)(c) << 8 | (u32)(d))

/*
 * Lets pass what begins and ends as headers[] do, so that nobody is woken for other devices, nor for
 * each VM that begins or ends. Should it be refused, kt_kvm_message() does without.
 */
static void filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('a', 'd', 'd', '@'), 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof("add@/devices/virtual/misc") - 1),
		BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('r', 'e', 'm', 'o'), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof("remove@/devices/virtual/misc") - 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('/', 'k', 'v', 'm'), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff), /* all of it */
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { KT_ARRAY_SIZE(code), code };

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int kt_kvm_watch_open(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	const int flags = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, yes = 1;
	int fd = socket(AF_NETLINK, flags, NETLINK_KOBJECT_UEVENT), err;

	if (fd < 0)
		return -1;
	filter(fd);
	if (!setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) &&
	    !bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/*
 * No process can send as port 0. But one with rights over the network namespace can have the kernel
 * announce something for it (uevent_net_rcv(), 4.18): the credentials are then that process's.
 */
static bool is_from_kernel(struct msghdr *header)
{
	const struct sockaddr_nl *from = header->msg_name;
	struct ucred creds;

	if (header->msg_namelen < sizeof(*from) || from->nl_family != AF_NETLINK || from->nl_pid)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
		    c->cmsg_len < CMSG_LEN(sizeof(creds)))
			continue;
		memcpy(&creds, CMSG_DATA(c), sizeof(creds));
		return !creds.pid && !creds.uid;
	}
	return false;
}

/* One message. False: there is none. */
static bool take(int fd, enum kt_kvm_change *change)
{
	char text[MESSAGE_MAX];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct sockaddr_nl from = {};
	struct iovec part = { text, sizeof(text) };
	struct msghdr header = { .msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);

	*change = KT_KVM_SAME;
	if (n < 0) {
		if (errno == ENOBUFS) /* the socket's buffer was full, and messages were dropped */
			*change = KT_KVM_LOOK;
		return errno == ENOBUFS || errno == EINTR;
	}
	if (!is_from_kernel(&header))
		return true;
	*change = header.msg_flags & MSG_TRUNC ? KT_KVM_LOOK : kt_kvm_message(text, n);
	return true;
}

enum kt_kvm_change kt_kvm_watch_drain(int fd)
{
	enum kt_kvm_change last = KT_KVM_SAME, change;

	for (int i = 0; i < DRAIN_MAX && take(fd, &change); i++)
		if (change != KT_KVM_SAME)
			last = change;
	return last;
}
