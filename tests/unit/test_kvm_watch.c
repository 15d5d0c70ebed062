/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/live/kvm_watch.c: what the kernel says, and who else may say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "../../user/live/kvm_watch.h"

/* As 6.1.176 sends them; the NUL at the end of a literal is the last byte of the message. */
#define CAME                                                                                       \
	"add@/devices/virtual/misc/kvm\0ACTION=add\0DEVPATH=/devices/virtual/misc/kvm\0"           \
	"SUBSYSTEM=misc\0MAJOR=10\0MINOR=232\0DEVNAME=kvm\0SEQNUM=591"
#define WENT                                                                                       \
	"remove@/devices/virtual/misc/kvm\0ACTION=remove\0DEVPATH=/devices/virtual/misc/kvm\0"     \
	"SUBSYSTEM=misc\0MAJOR=10\0MINOR=232\0DEVNAME=kvm\0SEQNUM=587"

/* In memory of just that size, so that a sanitizer sees a read beyond it. */
static enum kt_kvm_change says(const char *bytes, size_t len)
{
	char *message = malloc(len ? len : 1);
	enum kt_kvm_change change;

	assert_non_null(message);
	memcpy(message, bytes, len);
	change = kt_kvm_message(message, len);
	free(message);
	return change;
}

#define SAYS(literal) says(literal, sizeof(literal))

static void test_came_and_went(void **state)
{
	(void)state;
	assert_int_equal(SAYS(CAME), KT_KVM_CAME);
	assert_int_equal(SAYS(WENT), KT_KVM_WENT);
	/* The variables may be missing, or not all there. */
	assert_int_equal(SAYS("add@/devices/virtual/misc/kvm"), KT_KVM_CAME);
	assert_int_equal(says(WENT, sizeof(WENT) - 5), KT_KVM_WENT);
	assert_int_equal(SAYS("remove@/devices/virtual/misc/kvm\0\0\0\0"), KT_KVM_WENT);
}

/* All that a kernel says when modules and VMs come and go, but for the two above. */
static void test_other_things(void **state)
{
	(void)state;
	assert_int_equal(SAYS("add@/module/kvm_amd\0ACTION=add\0DEVPATH=/module/kvm_amd\0"
			      "SUBSYSTEM=module\0SEQNUM=592"),
			 KT_KVM_SAME);
	assert_int_equal(SAYS("remove@/module/kvm\0ACTION=remove\0DEVPATH=/module/kvm\0"
			      "SUBSYSTEM=module\0SEQNUM=589"),
			 KT_KVM_SAME);
	assert_int_equal(SAYS("change@/devices/virtual/misc/kvm\0ACTION=change\0"
			      "DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0CREATED=1\0"
			      "COUNT=0\0EVENT=destroy\0PID=158\0SEQNUM=594"),
			 KT_KVM_SAME);
	assert_int_equal(SAYS("add@/devices/virtual/misc/vhost-net\0ACTION=add"), KT_KVM_SAME);
	assert_int_equal(SAYS("add@/devices/virtual/misc/kvm0\0ACTION=add"), KT_KVM_SAME);
	assert_int_equal(SAYS("add@/devices/virtual/misc/kvm/queues\0ACTION=add"), KT_KVM_SAME);
	assert_int_equal(SAYS("add@/devices/virtual/net/kvm\0ACTION=add"), KT_KVM_SAME);
	assert_int_equal(SAYS("bind@/devices/virtual/misc/kvm\0ACTION=bind"), KT_KVM_SAME);
	assert_int_equal(SAYS("ADD@/devices/virtual/misc/kvm\0ACTION=add"), KT_KVM_SAME);
	/* As udev announces devices. */
	assert_int_equal(SAYS("libudev\0\376\355\312\376(\0\0\0(\0\0\0ACTION=add\0"
			      "DEVPATH=/devices/virtual/misc/kvm"),
			 KT_KVM_SAME);
}

/* echo add >/sys/devices/virtual/misc/kvm/uevent: nothing has come. */
static void test_synthetic(void **state)
{
	(void)state;
	assert_int_equal(SAYS("add@/devices/virtual/misc/kvm\0ACTION=add\0"
			      "DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0SYNTH_UUID=0\0"
			      "MAJOR=10\0MINOR=232\0DEVNAME=kvm\0SEQNUM=600"),
			 KT_KVM_SAME);
	assert_int_equal(SAYS("remove@/devices/virtual/misc/kvm\0ACTION=remove\0"
			      "SYNTH_UUID=fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed"),
			 KT_KVM_SAME);
	/* Also as the last one without its NUL, but not as a part of another. */
	assert_int_equal(says("add@/devices/virtual/misc/kvm\0SYNTH_UUID=", 30 + 11), KT_KVM_SAME);
	assert_int_equal(kt_kvm_message("add@/devices/virtual/misc/kvm\0SYNTH_UUID=", 30 + 10),
			 KT_KVM_CAME);
	assert_int_equal(SAYS("add@/devices/virtual/misc/kvm\0NO_SYNTH_UUID=0"), KT_KVM_CAME);
}

static void test_damaged(void **state)
{
	static const char no_end[] = "remove@/devices/virtual/misc/kvm";
	char noise[512];

	(void)state;
	assert_int_equal(says("", 0), KT_KVM_SAME);
	assert_int_equal(says("\0", 1), KT_KVM_SAME);
	assert_int_equal(says("@", 1), KT_KVM_SAME);
	assert_int_equal(says("\0add@/devices/virtual/misc/kvm", 31), KT_KVM_SAME);
	for (size_t len = 0; len < sizeof(no_end); len++)
		assert_int_equal(says(no_end, len), KT_KVM_SAME);
	assert_int_equal(says(no_end, sizeof(no_end)), KT_KVM_WENT);
	for (u32 seed = 1, i = 0; i < 1000; i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (seed = seed * 1103515245 + 12345) >> 24;
		assert_int_equal(says(noise, i % sizeof(noise)), KT_KVM_SAME);
	}
}

/* Whoever else gets a message to us isn't believed, is read nonetheless, and keeps nobody for long. */
static void test_not_the_kernel(void **state)
{
	int pair[2], left = 0;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	for (int i = 0; i < 100; i++)
		if (send(pair[0], WENT, sizeof(WENT), 0) == sizeof(WENT))
			left++;
	assert_in_range(left, 65, 100);
	assert_int_equal(kt_kvm_watch_drain(pair[1]), KT_KVM_SAME);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1);
	assert_int_equal(kt_kvm_watch_drain(pair[1]), KT_KVM_SAME);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

static void test_bad_descriptors(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(kt_kvm_watch_drain(-1), KT_KVM_SAME);
	assert_int_equal(kt_kvm_watch_drain(fd), KT_KVM_SAME);
	close(fd);
}

/* Needs no permission; where the kernel has no such thing it says so. */
static void test_open(void **state)
{
	int fd = kt_kvm_watch_open();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	(void)state;
	if (fd < 0) {
		assert_int_not_equal(errno, 0);
		return;
	}
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(kt_kvm_watch_drain(fd), KT_KVM_SAME);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_came_and_went),  cmocka_unit_test(test_other_things),
		cmocka_unit_test(test_synthetic),      cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_not_the_kernel), cmocka_unit_test(test_bad_descriptors),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
