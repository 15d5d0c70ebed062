/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

#define CHUNK	     (1u << 20)
#define MAX_SEGMENTS 64
#define MAX_NOTES    4096
#define ALIGN4(n)    (((n) + 3ull) & ~3ull)

/* What stands in a program before its version. Of QEMU: the text that --version prints. */
static const char *const markers[] = { "QEMU emulator version " };

/* One per program and release of it that runs here. */
static struct known {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	struct kt_program program;
} known[4];
static unsigned int next_known;

static bool read_at(int fd, u64 offset, void *to, size_t n)
{
	while (n) {
		ssize_t got = offset > INT64_MAX ? -1 : pread(fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to = (char *)to + got;
		offset += (u64)got;
		n -= (size_t)got;
	}
	return true;
}

/* The build id among notes: each has a header, a name and a description, padded to 4 bytes. */
static bool find_build_id(const char *notes, size_t n, char *hex, size_t size)
{
	Elf64_Nhdr h;

	while (n >= sizeof(h)) {
		u64 name, length;

		memcpy(&h, notes, sizeof(h));
		name = sizeof(h) + ALIGN4(h.n_namesz);
		length = name + ALIGN4(h.n_descsz);
		if (length > n)
			return false;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    !memcmp(notes + sizeof(h), "GNU", 4) && 2 * (u64)h.n_descsz < size) {
			for (u32 i = 0; i < h.n_descsz; i++)
				snprintf(hex + 2 * i, 3, "%02x", (u8)notes[name + i]);
			return true;
		}
		notes += length;
		n -= length;
	}
	return false;
}

/* 64-bit programs of this machine's byte order; others have none. */
static void read_build_id(int fd, struct kt_program *program)
{
	Elf64_Ehdr elf;
	char notes[MAX_NOTES];

	if (!read_at(fd, 0, &elf, sizeof(elf)) || memcmp(elf.e_ident, ELFMAG, SELFMAG) ||
	    elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_phentsize != sizeof(Elf64_Phdr))
		return;
	for (u32 i = 0; i < elf.e_phnum && i < MAX_SEGMENTS; i++) {
		Elf64_Phdr segment;

		if (!read_at(fd, elf.e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
			return;
		if (segment.p_type != PT_NOTE || segment.p_filesz > sizeof(notes) ||
		    !read_at(fd, segment.p_offset, notes, segment.p_filesz))
			continue;
		if (find_build_id(notes, segment.p_filesz, program->build_id,
				  sizeof(program->build_id)))
			return;
	}
}

/* The version behind a marker, if it is one: a format string has the marker, too. */
static bool take_version(const char *text, size_t n, struct kt_program *program)
{
	size_t len = 0;

	if (!n || *text < '0' || *text > '9')
		return false;
	while (len < n && len + 1 < sizeof(program->version) && text[len] >= ' ' &&
	       text[len] <= '~')
		len++;
	memcpy(program->version, text, len);
	program->version[len] = '\0';
	return true;
}

static bool search(const char *bytes, size_t n, const char *marker, struct kt_program *program)
{
	size_t len = strlen(marker);
	const char *at = bytes;

	while ((at = memmem(at, n - (size_t)(at - bytes), marker, len))) {
		at += len;
		if (take_version(at, n - (size_t)(at - bytes), program))
			return true;
	}
	return false;
}

/* Chunks overlap, so that a version that lies across their border is found whole. */
static void read_version(int fd, struct kt_program *program)
{
	const size_t overlap = 256;
	char *chunk = kt_realloc(NULL, CHUNK + overlap);
	u64 end = program->size < KT_PROGRAM_MAX ? program->size : KT_PROGRAM_MAX;

	for (u64 offset = 0; offset < end && !*program->version; offset += CHUNK) {
		u64 left = end - offset;
		size_t n = left < CHUNK + overlap ? left : CHUNK + overlap;

		if (!read_at(fd, offset, chunk, n))
			break;
		for (size_t i = 0; i < KT_ARRAY_SIZE(markers) && !*program->version; i++)
			search(chunk, n, markers[i], program);
	}
	free(chunk);
}

static struct known *find_known(const struct stat *st)
{
	for (size_t i = 0; i < KT_ARRAY_SIZE(known); i++) {
		struct known *k = &known[i];

		if (k->program.size == (u64)st->st_size && k->dev == st->st_dev &&
		    k->ino == st->st_ino && k->mtime.tv_sec == st->st_mtim.tv_sec &&
		    k->mtime.tv_nsec == st->st_mtim.tv_nsec)
			return k;
	}
	return NULL;
}

static struct known *learn(int fd, const struct stat *st)
{
	struct known *k = &known[next_known++ % KT_ARRAY_SIZE(known)];

	*k = (struct known) { .dev = st->st_dev, .ino = st->st_ino, .mtime = st->st_mtim };
	k->program.size = (u64)st->st_size;
	read_build_id(fd, &k->program);
	read_version(fd, &k->program);
	return k;
}

int kt_program_read(int dir, struct kt_program *program)
{
	struct known *k;
	struct stat st;
	ssize_t n;
	int fd;

	*program = (struct kt_program) {};
	/* Not to wait, should this be no process's directory and "exe" a pipe. */
	fd = openat(dir, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		close(fd);
		return -EINVAL;
	}
	k = find_known(&st);
	if (!k)
		k = learn(fd, &st);
	close(fd);
	*program = k->program;
	n = readlinkat(dir, "exe", program->path, sizeof(program->path) - 1);
	program->path[n < 0 ? 0 : n] = '\0';
	return 0;
}
