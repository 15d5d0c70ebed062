/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/str.h"
#include "json.h"

json_t *kt_json_text(const char *text)
{
	json_t *value = json_string(text); /* NULL for what is no UTF-8 */
	struct kt_str quoted = {};

	if (value)
		return value;
	kt_str_add_json(&quoted, text);
	value = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY, NULL);
	kt_str_free(&quoted);
	return value;
}

static void hex_name(struct kt_str *s, const char *name)
{
	kt_str_add(s, name);
	kt_str_add(s, "_hex");
}

void kt_json_set_bytes(json_t *object, const char *name, const char *bytes)
{
	json_t *exact = json_string(bytes);
	struct kt_str key = {}, hex = {};

	json_object_set_new(object, name, exact ? exact : kt_json_text(bytes));
	if (exact)
		return;
	hex_name(&key, name);
	for (; *bytes; bytes++)
		kt_str_add_hex_byte(&hex, (u8)*bytes);
	json_object_set_new(object, key.data, json_string(hex.data));
	kt_str_free(&key);
	kt_str_free(&hex);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL when it is not pairs of digits, or has a NUL. */
static char *unhex(const char *hex, size_t n)
{
	char *bytes = kt_alloc(n / 2 + 1);

	for (size_t i = 0; i < n / 2; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0 || !(high | low)) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (char)(high << 4 | low);
	}
	return bytes;
}

char *kt_json_get_bytes(const json_t *object, const char *name, int *err)
{
	const json_t *value = json_object_get(object, name), *hex;
	struct kt_str key = {};
	char *bytes = NULL;

	hex_name(&key, name);
	hex = json_object_get(object, key.data);
	kt_str_free(&key);
	if (json_is_string(hex) && !(json_string_length(hex) & 1))
		bytes = unhex(json_string_value(hex), json_string_length(hex));
	else if (!hex && json_is_string(value))
		bytes = kt_strdup(json_string_value(value));
	if (!bytes && (hex || (value && !json_is_null(value))))
		*err = -EBADMSG;
	return bytes;
}

void kt_json_set_u64(json_t *object, const char *name, u64 value)
{
	json_object_set_new(object, name,
			    json_integer((json_int_t)(value < INT64_MAX ? value : INT64_MAX)));
}

u64 kt_json_get_u64(const json_t *object, const char *name, u64 max, u64 fallback, int *err)
{
	const json_t *value = json_object_get(object, name);
	json_int_t number = json_integer_value(value);

	if (!value)
		return fallback;
	if (!json_is_integer(value) || number < 0 || (u64)number > max) {
		*err = -EBADMSG;
		return fallback;
	}
	return (u64)number;
}

char *kt_json_dump(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(value);
	return text ? text : kt_strdup("{}"); /* no memory */
}

json_t *kt_json_load(const char *text, size_t n)
{
	json_t *value = n > KT_JSON_FACT_MAX ? NULL : json_loadb(text, n, 0, NULL);

	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}
