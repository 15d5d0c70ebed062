/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Creating virtual machines: file descriptors, memory slots, CPUID. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUID_ENTRIES 256
#define HUGE_PAGE     0x200000ull

_Static_assert(offsetof(struct kt_shared, irqs) == KT_SH_IRQS, "code.h");
_Static_assert(offsetof(struct kt_shared, bad_rip) == KT_SH_BAD_RIP, "code.h");
_Static_assert(offsetof(struct kt_shared, bad_vector) == KT_SH_BAD_VEC, "code.h");
_Static_assert(offsetof(struct kt_shared, bad_error) == KT_SH_BAD_ERR, "code.h");
_Static_assert(offsetof(struct kt_shared, bad_cr2) == KT_SH_BAD_CR2, "code.h");
_Static_assert(offsetof(struct kt_shared, idtr) == KT_SH_IDTR, "code.h");
_Static_assert(offsetof(struct kt_shared, note) == KT_SH_NOTE, "code.h");
_Static_assert(offsetof(struct kt_shared, site) == KT_SH_SITES, "code.h");
_Static_assert(offsetof(struct kt_site, rip) == KT_SITE_RIP, "code.h");
_Static_assert(offsetof(struct kt_site, resume) == KT_SITE_RESUME, "code.h");
_Static_assert(offsetof(struct kt_site, vector) == KT_SITE_VECTOR, "code.h");
_Static_assert(offsetof(struct kt_site, error) == KT_SITE_ERROR, "code.h");
_Static_assert(offsetof(struct kt_site, address) == KT_SITE_ADDR, "code.h");
_Static_assert(offsetof(struct kt_site, count) == KT_SITE_COUNT, "code.h");
_Static_assert(sizeof(struct kt_site) == KT_SITE_SIZE, "code.h");
_Static_assert(sizeof(struct kt_shared) <= 0x1000, "one page");

/* _exit(): other threads may still be in KVM_RUN, and stdio's buffers hold no finished statement. */
void kt_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: failed: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

int kt_kvm_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		kt_fail("/dev/kvm: %m");
	return fd;
}

int kt_kvm_cap(long cap)
{
	int value = ioctl(kt_kvm_fd(), KVM_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

static struct kvm_cpuid2 *supported_cpuid(void)
{
	static struct kvm_cpuid2 *all;

	if (all)
		return all;
	all = calloc(1, sizeof(*all) + CPUID_ENTRIES * sizeof(all->entries[0]));
	if (!all)
		kt_fail("out of memory");
	all->nent = CPUID_ENTRIES;
	if (ioctl(kt_kvm_fd(), KVM_GET_SUPPORTED_CPUID, all))
		kt_fail("KVM_GET_SUPPORTED_CPUID: %m");
	return all;
}

bool kt_cpuid_has_xsave(void)
{
	const struct kvm_cpuid2 *all = supported_cpuid();

	for (uint32_t i = 0; i < all->nent; i++)
		if (all->entries[i].function == 1)
			return all->entries[i].ecx & (1u << 26);
	return false;
}

static void *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		kt_fail("mmap of %zu bytes: %m", size);
	/* EINVAL: a kernel without transparent huge pages, which is as good. */
	if (madvise(p, size, MADV_NOHUGEPAGE) && errno != EINVAL)
		kt_fail("MADV_NOHUGEPAGE: %m");
	return p;
}

static void set_slot(struct kt_vm *vm, uint32_t slot, uint64_t gpa, void *mem, size_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r))
		kt_fail("KVM_SET_USER_MEMORY_REGION %u: %m", slot);
}

uint8_t *kt_vm_add_memory(struct kt_vm *vm, uint32_t slot, uint64_t gpa, size_t size)
{
	uint8_t *mem = map_memory(size);

	set_slot(vm, slot, gpa, mem, size);
	return mem;
}

static void add_vcpu(struct kt_vm *vm, int id)
{
	struct kt_vcpu *v = &vm->vcpu[id];
	int size = ioctl(kt_kvm_fd(), KVM_GET_VCPU_MMAP_SIZE, 0);

	v->vm = vm;
	v->id = id;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (v->fd < 0)
		kt_fail("KVM_CREATE_VCPU %d: %m", id);
	if (size < (int)sizeof(*v->run))
		kt_fail("KVM_GET_VCPU_MMAP_SIZE: %d", size);
	v->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		kt_fail("mmap of vCPU %d: %m", id);
	if (ioctl(v->fd, KVM_SET_CPUID2, supported_cpuid()))
		kt_fail("KVM_SET_CPUID2: %m");
	v->sh = (struct kt_shared *)(vm->low + KT_GPA_VCPU + (size_t)id * KT_VCPU_SPAN);
}

struct kt_vm *kt_vm_new(const struct kt_vm_conf *conf)
{
	static int count;
	struct kt_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		kt_fail("out of memory");
	vm->conf = *conf;
	vm->index = count++;
	vm->vcpu = calloc((size_t)conf->vcpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		kt_fail("out of memory");
	vm->fd = ioctl(kt_kvm_fd(), KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		kt_fail("KVM_CREATE_VM: %m");
	vm->low_size = KT_GPA_VCPU + (size_t)conf->vcpus * KT_VCPU_SPAN;
	vm->low_size = (vm->low_size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	vm->low = map_memory(vm->low_size);
	set_slot(vm, 0, 0, vm->low, vm->low_size);
	if (conf->irqchip && ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		kt_fail("KVM_CREATE_IRQCHIP: %m");
	kt_cpu_tables(vm);
	for (int i = 0; i < conf->vcpus; i++)
		add_vcpu(vm, i);
	return vm;
}

/* Memory besides slot 0 and the kvm_run pages go with the process. */
void kt_vm_free(struct kt_vm *vm)
{
	for (int i = 0; i < vm->conf.vcpus; i++)
		close(vm->vcpu[i].fd);
	close(vm->fd);
	munmap(vm->low, vm->low_size);
	free(vm->vcpu);
	free(vm);
}

struct kt_site *kt_vcpu_site(struct kt_vcpu *v, int nr, uint64_t rip, uint64_t resume,
			     uint64_t vector, uint64_t error, uint64_t address)
{
	struct kt_site *s = &v->sh->site[nr];

	*s = (struct kt_site) {
		.rip = KT_GPA_CODE + rip,
		.resume = KT_GPA_CODE + resume,
		.vector = vector,
		.error = error,
		.address = address,
	};
	return s;
}
