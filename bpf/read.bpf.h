/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading kernel memory where the verifier knows no type.
 *
 * From 6.2 on (a35b9af4ec2c) bpf_rdonly_cast() declares any address to be of a type in vmlinux's BTF,
 * and a load from it costs seven instructions; the helper before it costs over a hundred. A type that
 * only a module has is refused, so types of vmlinux stand for plain numbers.
 *
 * The function is called without a condition, in an object of its own (KT_CAST), which user/live
 * chooses: 5.13 to 5.15 refuse a program with a call of a function that they lack even if it is never
 * reached (until a5d827275241), and 6.2 and 6.3 one that takes its address (until 58aa2afbb1e6).
 */
#ifndef KT_READ_BPF_H
#define KT_READ_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "shared/cfg.h"

extern const volatile struct kt_type_numbers types;

#ifdef KT_CAST
extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym;
#define kt_can_cast() true
#define kt_cast_as(type, number, address)                                                          \
	((struct type *)bpf_rdonly_cast((void *)(address), types.number))
#else
#define kt_can_cast()			  false
#define kt_cast_as(type, number, address) ((struct type *)NULL)
#endif
#define kt_cast(type, address) kt_cast_as(type, type, address)

static __always_inline u64 kt_probe_u64(u64 address)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u32 kt_probe_u32(u64 address)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline u64 kt_read_u64(u64 address)
{
	return kt_can_cast() ? kt_cast(timespec64, address)->tv_sec : kt_probe_u64(address);
}

static __always_inline u32 kt_read_u32(u64 address)
{
	return kt_can_cast() ? kt_cast(upid, address)->nr : kt_probe_u32(address);
}

#define kt_offset(type, member)		 bpf_core_field_offset(struct type, member)
#define kt_u64_of(type, address, member) kt_read_u64((u64)(address) + kt_offset(type, member))
#define kt_u32_of(type, address, member) kt_read_u32((u64)(address) + kt_offset(type, member))

/* A vCPU of which only the address is known. It is cast once, not for each member. */
struct kt_vcpu_at {
	u64 address;
	struct kvm_vcpu *typed; /* unused where there is no cast */
};

static __always_inline struct kt_vcpu_at kt_vcpu_at(u64 address)
{
	return (struct kt_vcpu_at) { .address = address,
				     .typed = kt_can_cast() ? kt_cast(kvm_vcpu, address) : NULL };
}

/*
 * The local pointer: of a member of ours, CO-RE would look for that one, too. The barrier: clang makes one
 * load of two in different branches, which the verifier allows for pointers of one kind only.
 */
#define kt_vcpu_read(vcpu, member)                                                                 \
	({                                                                                         \
		struct kvm_vcpu *kt_untyped = (struct kvm_vcpu *)(vcpu).address;                   \
		typeof(kt_untyped->member) kt_value;                                               \
                                                                                                   \
		kt_value =                                                                         \
			kt_can_cast() ? (vcpu).typed->member : BPF_CORE_READ(kt_untyped, member);  \
		barrier_var(kt_value);                                                             \
		kt_value;                                                                          \
	})

#endif
