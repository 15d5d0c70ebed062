/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What fuzzing has found worth keeping (tests/fuzz/corpus/store) does the reader no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <dirent.h>
#include <cmocka.h>

#include "../fuzz/fuzz_store.c"

#define FOLDER "tests/fuzz/corpus/store"

static void replay(const char *name)
{
	static uint8_t bytes[1 << 16];
	char path[512];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	assert_int_equal(ferror(file), 0);
	fclose(file);
	assert_in_range(n, 1, sizeof(bytes) - 1);
	/* As it is, and with its checksums mended. */
	bytes[0] = 0;
	LLVMFuzzerTestOneInput(bytes, n);
	bytes[0] = 1;
	LLVMFuzzerTestOneInput(bytes, n);
}

static void the_corpus_does_no_harm(void **test)
{
	struct dirent *entry;
	unsigned int files = 0;
	DIR *folder = opendir(FOLDER);

	(void)test;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		replay(entry->d_name);
		files++;
	}
	closedir(folder);
	assert_true(files >= 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_corpus_does_no_harm),
	};

	return cmocka_run_group_tests_name("store_corpus", tests, NULL, NULL);
}
