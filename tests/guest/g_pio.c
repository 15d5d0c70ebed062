/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* N byte OUTs to one port, then N double-word INs from another, all handled in user space. */
#include "lib/guest.h"

#include <string.h>

#define PORT_OUT 0x510
#define PORT_IN	 0x514
#define VALUE	 0xcafe0000u

/* The guest adds up what it reads, and says so in the one word it shares with us. */
KT_GUEST_CODE(pio, "	mov	%rdi, %rbp\n"
		   "	mov	$0x510, %edx\n"
		   "	mov	$0x5a, %al\n"
		   "1:	out	%al, %dx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	%rdi, %rbp\n"
		   "	mov	$0x514, %edx\n"
		   "	xor	%ebx, %ebx\n"
		   "1:	in	%dx, %eax\n"
		   "	add	%rax, %rbx\n"
		   "	dec	%rbp\n"
		   "	jnz	1b\n"
		   "	mov	%rbx, KT_SH_NOTE(%r15)\n"
		   "	kt_end\n");

static uint64_t outs, ins;

static void io(struct kt_vcpu *v, const struct kt_io *io)
{
	uint32_t value = VALUE;

	if (io->write && io->address == PORT_OUT && io->size == 1 && *(uint8_t *)io->data == 0x5a) {
		outs++;
	} else if (!io->write && io->address == PORT_IN && io->size == 4) {
		memcpy(io->data, &value, sizeof(value));
		ins++;
	} else {
		kt_unexpected_io(v, io);
	}
}

int main(int argc, char **argv)
{
	const struct kt_io in = { .address = PORT_IN, .size = 4 };
	struct kt_opts o = { .scenario = "pio", .n = 100, .n_max = 10000000 };
	struct kt_vm_conf conf = { .vcpus = 1, .io = io };
	struct kt_vm *vm;
	struct kt_vcpu *v;

	kt_opts_parse(&o, argc, argv, NULL);
	vm = kt_vm_new(&conf);
	kt_vm_load(vm, kt_guest_pio, kt_guest_pio_end);
	v = &vm->vcpu[0];
	v->iterations = o.n;
	kt_run(&o, &vm, 1);
	if (outs != o.n || ins != o.n || v->sh->note != o.n * VALUE)
		kt_fail("the guest wrote %llu times and read %llu times", (unsigned long long)outs,
			(unsigned long long)ins);

	kt_expect_begin(&o, &vm, 1);
	kt_expect_out(v, KT_PORT_END, 1);
	kt_expect_out(v, PORT_OUT, o.n);
	kt_expect_io(v, &in, o.n);
	return kt_expect_end(&o, &vm, 1);
}
