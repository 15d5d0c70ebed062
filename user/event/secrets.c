/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "secrets.h"

#define REMOVED	   "[removed]"
#define KEY_BYTES  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
#define SEPARATORS "_.-"
#define QUOTES	   "\"'\\"

/* How a word of a key, as separated by _ . and -, gives it away. */
enum where { WHOLE, BEGIN, END, ANY };
static const struct {
	const char *word;
	enum where where;
} secret_words[] = {
	{ "password", ANY },  { "passwd", ANY },     { "passphrase", ANY }, { "secret", ANY },
	{ "token", ANY },     { "credential", ANY }, { "userdata", ANY },   { "cookie", ANY },
	{ "key", END },	      { "keys", END },	     { "auth", BEGIN },	    { "pass", WHOLE },
	{ "pw", WHOLE },      { "pwd", WHOLE },	     { "psk", WHOLE },	    { "sig", WHOLE },
	{ "signature", ANY },
};

/* Words of which one of the above is a part by chance. */
static const char *const harmless_words[] = {
	"hotkey", "hotkeys", "monkey", "author", "authz", "passwordid",
};

/* With one of these as its last word, a key tells where a secret is, or of what kind. */
static const char *const harmless_endings[] = {
	"file", "path", "dir", "type", "size", "format", "layout", "map", "id",
};
/* … but for these */
static const char *const secret_endings[] = { "secret-id", "secret_id" };

/* What QEMU calls the id of an object that has the secret, after the last dot. */
static const char *const references[] = {
	"key-secret",
	"password-secret",
	"cookie-secret",
	"proxy-password-secret",
};

/* A switch, not a secret: -vnc :0,password=on */
static const char *const harmless_values[] = { "on", "off", "yes", "no", "true", "false" };

static const char *const secret_keys[] = { "user-data", "user_data", "oem_strings" };

/* What gives away the host, in its kernel's command line. */
static const char *const host_keys[] = {
	"ip",		"nfsaddrs", "nfsroot",
	"bootif",	"ifname",   "hostname",
	"nameserver",	"rd.route", "systemd.hostname",
	"netconsole",	"netroot",  "root_server",
	"vlan",		"bond",	    "rd.iscsi.initiator",
	"iscsi_target", "inst.dns",
};

/* Keys that are secret in the argument of one option. */
static const struct {
	const char *option, *key;
	const char *unless; /* the argument has this text */
} option_keys[] = {
	{ "object", "data", NULL },
	{ "fw_cfg", "string", "opt/ovmf/" },
	{ "smbios", "value", NULL },
};

/* Options whose argument is a kernel's command line. */
static const char *const line_options[] = { "append", "cmdline", "params", "p", "kernel-cmdline" };

struct text {
	const char *p;
	size_t n;
};

/* What the argument that is looked at is the value of; NULL: of nothing. */
struct context {
	struct text option;
	bool line; /* a word of a kernel's command line: no comma ends a value */
	bool host;
};

static bool same(struct text t, const char *word)
{
	return strlen(word) == t.n && !strncasecmp(t.p, word, t.n);
}

static bool listed(struct text t, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (same(t, list[i]))
			return true;
	}
	return false;
}
#define LISTED(text, list) listed(text, list, KT_ARRAY_SIZE(list))

static struct text cut_front(struct text t, size_t n)
{
	return (struct text) { t.p + n, t.n - n };
}

static bool has_word(struct text t, const char *word, enum where where)
{
	size_t n = strlen(word);

	if (t.n < n)
		return false;
	if (where == WHOLE || where == BEGIN)
		return (where == BEGIN || t.n == n) && !strncasecmp(t.p, word, n);
	if (where == END)
		return !strncasecmp(t.p + t.n - n, word, n);
	for (; t.n >= n; t = cut_front(t, 1)) {
		if (!strncasecmp(t.p, word, n))
			return true;
	}
	return false;
}

static bool word_is_secret(struct text word)
{
	if (LISTED(word, harmless_words))
		return false;
	for (size_t i = 0; i < KT_ARRAY_SIZE(secret_words); i++) {
		if (has_word(word, secret_words[i].word, secret_words[i].where))
			return true;
	}
	return false;
}

/* The part of a key behind the last of the separators. */
static struct text last_part(struct text key, const char *separators)
{
	size_t n = 0;

	while (n < key.n && !strchr(separators, key.p[key.n - 1 - n]))
		n++;
	return cut_front(key, key.n - n);
}

static bool key_is_secret(struct text key)
{
	struct text last = last_part(key, ".");

	if (LISTED(last, references))
		return false;
	if (LISTED(last, secret_keys) || LISTED(last, secret_endings))
		return true;
	if (LISTED(last_part(key, SEPARATORS), harmless_endings))
		return false;
	while (key.n) {
		struct text word = key;

		for (word.n = 0; word.n < key.n; word.n++) {
			if (strchr(SEPARATORS, word.p[word.n]))
				break;
		}
		if (word_is_secret(word))
			return true;
		key = cut_front(key, word.n + (word.n < key.n));
	}
	return false;
}

static bool key_goes(struct text key, struct text arg, const struct context *c)
{
	if (c->host && LISTED(key, host_keys))
		return true;
	for (size_t i = 0; i < KT_ARRAY_SIZE(option_keys); i++) {
		const char *unless = option_keys[i].unless;

		if (same(c->option, option_keys[i].option) && same(key, option_keys[i].key))
			return !unless || !memmem(arg.p, arg.n, unless, strlen(unless));
	}
	return key_is_secret(key);
}

static size_t count_of(struct text t, const char *bytes)
{
	size_t n = 0;

	while (n < t.n && t.p[n] && strchr(bytes, t.p[n]))
		n++;
	return n;
}

/* Length of a value that begins with a quote, escaped or not, with its closing one; 0: it has none. */
static size_t quoted_length(struct text value, size_t *open)
{
	size_t n = count_of(value, "\\");

	*open = 0;
	if (n >= value.n || !strchr("\"'", value.p[n]))
		return 0;
	n++;
	for (size_t i = n; i + n <= value.n; i++) {
		/* \\ and \" within a plain quoted text are part of it */
		if (n == 1 && value.p[i] == '\\') {
			i++;
			continue;
		}
		if (!memcmp(value.p + i, value.p, n)) {
			*open = n;
			return i + n;
		}
	}
	return 0;
}

/* How far a value goes. */
static size_t value_length(struct text value, const struct context *c, size_t *open)
{
	size_t n = quoted_length(value, open);

	if (*open && (n == value.n || (!c->line && strchr(",]}", value.p[n]))))
		return n;
	*open = 0;
	/* Of lists and objects, and of what only looks quoted, the whole rest. */
	if (c->line || !value.n || strchr("[{\"'\\", *value.p))
		return value.n;
	for (n = 0; n < value.n; n++) {
		if (value.p[n] != ',')
			continue;
		if (n + 1 == value.n || value.p[n + 1] != ',')
			break;
		n++;
	}
	return n < value.n ? n : value.n;
}

/* Appends a secret's place holder, with the quotes around it; returns how much it stands for. */
static size_t remove_value(struct kt_str *out, struct text value, const struct context *c)
{
	size_t open, n = value_length(value, c, &open);
	struct text inner = { value.p + open, n - 2 * open };

	if (!inner.n || LISTED(inner, harmless_values)) {
		kt_str_add_n(out, value.p, n);
		return n;
	}
	kt_str_add_n(out, value.p, open);
	kt_str_add(out, REMOVED);
	kt_str_add_n(out, value.p + n - open, open);
	return n;
}

/* Behind "scheme://": the length of "user:password@" without the @. */
static size_t userinfo_length(struct text t)
{
	size_t at = 0;

	for (size_t n = 0; n < t.n && !strchr("/\"' \t\n", t.p[n]); n++) {
		if (t.p[n] == '@')
			at = n;
	}
	return at;
}

/* Whether the value of the key follows, and how far behind the key it begins. */
static size_t separator_length(struct text behind)
{
	size_t n = count_of(behind, QUOTES);

	n += count_of(cut_front(behind, n), " \t");
	if (n == behind.n || !strchr("=:", behind.p[n]))
		return 0;
	n++;
	return n + count_of(cut_front(behind, n), " \t");
}

static bool is_key_byte(char c)
{
	return c && strchr(KEY_BYTES, c);
}

static void clean(struct kt_str *out, struct text arg, const struct context *c)
{
	struct text rest = arg;
	size_t n;

	while (rest.n) {
		struct text key = rest;

		if (!is_key_byte(*rest.p)) {
			bool url = rest.n > 3 && !memcmp(rest.p, "://", 3);

			kt_str_add_n(out, rest.p, url ? 3 : 1);
			rest = cut_front(rest, url ? 3 : 1);
			n = url ? userinfo_length(rest) : 0;
			if (n)
				kt_str_add(out, REMOVED);
			rest = cut_front(rest, n);
			continue;
		}
		key.n = count_of(rest, KEY_BYTES);
		kt_str_add_n(out, key.p, key.n);
		rest = cut_front(rest, key.n);
		n = separator_length(rest);
		key = cut_front(key, count_of(key, "-"));
		if (!n || !key_goes(key, arg, c))
			continue;
		kt_str_add_n(out, rest.p, n);
		rest = cut_front(rest, n);
		rest = cut_front(rest, remove_value(out, rest, c));
	}
}

/* The name of an option: what stands between the dashes and a '='. */
static struct text option_name(struct text arg)
{
	size_t dashes = count_of(arg, "-");

	arg = cut_front(arg, dashes);
	arg.n = dashes ? count_of(arg, KEY_BYTES) : 0;
	return arg;
}

static void add_line(struct kt_str *out, struct text line, bool host);

static void add_arg(struct kt_str *out, struct text arg, struct context *c)
{
	struct text name = option_name(arg);
	size_t behind = (size_t)(name.p + name.n - arg.p);
	bool dash = arg.n && *arg.p == '-';
	struct context in = *c;

	if (dash)
		in.option = name;
	if (c->option.n && !dash && key_is_secret(c->option)) {
		kt_str_add(out, REMOVED);
	} else if (c->option.n && !dash && LISTED(c->option, line_options)) {
		add_line(out, arg, c->host);
	} else if (name.n && behind < arg.n && arg.p[behind] == '=' && LISTED(name, line_options)) {
		kt_str_add_n(out, arg.p, behind + 1);
		add_line(out, cut_front(arg, behind + 1), c->host);
	} else {
		clean(out, arg, &in);
	}
	/* Only an option without a value of its own has the next argument for one. */
	c->option = behind == arg.n ? name : (struct text) {};
}

/* As lib/cmdline.c of the kernel has it: blanks end a word but for those between double quotes. */
static size_t word_length(struct text line)
{
	bool quoted = false;
	size_t n = 0;

	for (; n < line.n && (quoted || !isspace((unsigned char)line.p[n])); n++)
		quoted ^= line.p[n] == '"';
	return n;
}

static void add_line(struct kt_str *out, struct text line, bool host)
{
	struct context c = { .line = true, .host = host };

	while (line.n) {
		struct text word = { line.p, word_length(line) };

		if (word.n) {
			add_arg(out, word, &c);
		} else {
			word.n = 1;
			kt_str_add_char(out, *line.p);
		}
		line = cut_front(line, word.n);
	}
}

void kt_secrets_args(const char *args, size_t n, void (*add)(void *ctx, const char *arg), void *ctx)
{
	struct context c = {};
	struct kt_str out = {};

	while (n) {
		struct text arg = { args, strnlen(args, n) };
		size_t step = arg.n + (arg.n < n);

		kt_str_reset(&out);
		kt_str_add_n(&out, "", 0);
		add_arg(&out, arg, &c);
		add(ctx, out.data);
		args += step;
		n -= step;
	}
	kt_str_free(&out);
}

void kt_secrets_line(struct kt_str *out, const char *line, bool host)
{
	add_line(out, (struct text) { line, strlen(line) }, host);
}
