/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* user/sink/table.c: columns that line up, and what is left out where there is no room. */
#define _XOPEN_SOURCE 600
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../../user/sink/table.h"
#include "capture.h"

static const struct kt_table_column columns[] = {
	{ "VM", true, 0 },
	{ "COUNT", false, 0 },
	{ "MIN", false, 1 },
	{ "NOTE", true, 2 },
};

static struct kt_table *filled(void)
{
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));
	struct kt_str s = {};

	kt_table_add(t, "win11");
	kt_table_addf(t, "%d", 7);
	kt_table_add(t, "1.00us");
	kt_table_add(t, "a");
	kt_table_add(t, "db");
	kt_table_addf(t, "%llu", 1234567ull);
	kt_str_add(&s, "2ns");
	kt_table_add_str(t, &s);
	assert_int_equal(s.len, 0);
	kt_str_add(&s, "last one");
	kt_table_add_str(t, &s);
	kt_str_free(&s);
	return t;
}

static void lines_up(void **state)
{
	static struct capture c;
	struct kt_table *t = filled();

	(void)state;
	capture_open(&c);
	kt_table_print(t, c.out);
	kt_table_free(t);
	capture_close(&c);
	assert_string_equal(c.text, "VM       COUNT     MIN  NOTE\n"
				    "win11        7  1.00us  a\n"
				    "db     1234567     2ns  last one\n");
}

static void titles_only(void **state)
{
	static struct capture c;
	struct kt_table *t = kt_table_new(columns, KT_ARRAY_SIZE(columns));

	(void)state;
	capture_open(&c);
	kt_table_print(t, c.out);
	kt_table_free(t);
	capture_close(&c);
	assert_string_equal(c.text, "VM  COUNT  MIN  NOTE\n");
}

/* Names come from outside: widths are of what is shown. */
static void hostile_cells(void **state)
{
	static const struct kt_table_column two[] = { { "VM", true, 0 }, { "N", false, 0 } };
	static struct capture c;
	struct kt_table *t = kt_table_new(two, 2);

	(void)state;
	kt_table_add(t, "a\033[31m\nb");
	kt_table_add(t, "1");
	kt_table_add(t, "\303\274\303\274"); /* two characters of two bytes */
	kt_table_add(t, "22");
	kt_table_add(t, "\377");
	kt_table_add(t, "3");
	kt_table_add(t, "");
	kt_table_add(t, "4");
	capture_open(&c);
	kt_table_print(t, c.out);
	kt_table_free(t);
	capture_close(&c);
	assert_string_equal(c.text, "VM               N\n"
				    "a\\x1b[31m\\x0ab   1\n"
				    "\303\274\303\274              22\n"
				    "\\xff             3\n"
				    "                 4\n");
}

/* What a terminal of this width is sent. */
static void on_terminal(unsigned short width, char *text, size_t size)
{
	struct winsize window = { .ws_row = 24, .ws_col = width };
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct kt_table *t = filled();
	struct kt_out *out;
	ssize_t n = 0;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &window), 0);
	out = kt_out_open(ptsname(master));
	assert_non_null(out);
	kt_table_print(t, out);
	kt_table_free(t);
	assert_int_equal(kt_out_close(out), KT_OK);
	for (struct pollfd p = { .fd = master, .events = POLLIN }; poll(&p, 1, 100) > 0;) {
		ssize_t got = read(master, text + n, size - 1 - n);

		if (got <= 0)
			break;
		n += got;
	}
	text[n] = '\0';
	close(slave);
	close(master);
}

static void narrow_terminal(void **state)
{
	static char text[4096];

	(void)state;
	on_terminal(80, text, sizeof(text));
	assert_non_null(strstr(text, "NOTE"));
	assert_non_null(strstr(text, "MIN"));
	/* All is 32 wide. Least important is MIN, 8 with its gap. */
	on_terminal(32, text, sizeof(text));
	assert_non_null(strstr(text, "MIN"));
	on_terminal(31, text, sizeof(text));
	assert_null(strstr(text, "MIN"));
	assert_null(strstr(text, "2ns"));
	assert_non_null(strstr(text, "NOTE"));
	assert_non_null(strstr(text, "last one"));
	on_terminal(23, text, sizeof(text));
	assert_null(strstr(text, "NOTE"));
	/* The others stay, even if they do not fit. */
	on_terminal(5, text, sizeof(text));
	assert_non_null(strstr(text, "win11"));
	assert_non_null(strstr(text, "1234567"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_up),
		cmocka_unit_test(titles_only),
		cmocka_unit_test(hostile_cells),
		cmocka_unit_test(narrow_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
