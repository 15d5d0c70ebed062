/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* N rounds of a byte OUT, a double-word IN, an MMIO write and an MMIO read, all handled in user space. */
#include "lib/guest.h"

#include <string.h>

#define PORT_OUT   0x510
#define PORT_IN	   0x514
#define MMIO_WRITE KT_GPA_MMIO
#define MMIO_READ  (KT_GPA_MMIO + 8)
#define VALUE	   0xcafe0000u

KT_GUEST_CODE(iomix, "	mov	%rdi, %rbp\n"
		     "	mov	$0xd0000000, %esi\n"
		     "1:	mov	$0x510, %edx\n"
		     "	out	%al, %dx\n"
		     "	mov	$0x514, %edx\n"
		     "	in	%dx, %eax\n"
		     "	mov	%eax, (%rsi)\n"
		     "	mov	8(%rsi), %ebx\n"
		     "	add	%rbx, KT_SH_NOTE(%r15)\n"
		     "	dec	%rbp\n"
		     "	jnz	1b\n"
		     "	kt_end\n");

static const struct kt_io kinds[] = {
	{ .write = true, .address = PORT_OUT, .size = 1 },
	{ .address = PORT_IN, .size = 4 },
	{ .write = true, .mmio = true, .address = MMIO_WRITE, .size = 4 },
	{ .mmio = true, .address = MMIO_READ, .size = 4 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t seen[KINDS];

/* What IN read is what MOV then writes. */
static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	uint32_t value = VALUE;
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (io->write == kinds[i].write && io->mmio == kinds[i].mmio &&
		    io->address == kinds[i].address && io->size == kinds[i].size)
			break;
	if (i == KINDS || (io->mmio && io->write && memcmp(io->data, &value, sizeof(value))))
		kt_unexpected_io(v, io);
	seen[i]++;
	if (!io->write)
		memcpy(io->data, &value, sizeof(value));
}

int main(int argc, char **argv)
{
	struct kt_opts o = { .scenario = "iomix", .n = 100, .n_max = 10000000 };
	struct kt_vm_conf conf = { .vcpus = 1, .io = io };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_iomix, kt_guest_iomix_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);
	for (size_t i = 0; i < KINDS; i++)
		if (seen[i] != o.n)
			kt_fail("the guest made %llu of %llu accesses of kind %zu",
				(unsigned long long)seen[i], (unsigned long long)o.n, i);
	if (v->sh->note != o.n * VALUE)
		kt_fail("the guest read 0x%llx in all", (unsigned long long)v->sh->note);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_exit(v, KT_EXIT_MMIO, 2 * o.n - 1, KT_MIN);
	kt_expect_out(v, KT_PORT_END, 1);
	for (size_t i = 0; i < KINDS; i++)
		kt_expect_io(v, &kinds[i], o.n);
	return kt_expect_end(&o, &vm, 1);
}
