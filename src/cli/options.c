/* SPDX-License-Identifier: MIT
 *
 * The command line against a command's table of options: --name VALUE, --name=VALUE, a beginning of
 * a name that fits only one, -n VALUE, -nVALUE, flags together (-ab), and "--".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define OPTION_MAX 48

static struct {
	bool help;
	const char *color; /* as given */
} common;

static int set_help(const char *value, void *target, struct kp_err *err)
{
	(void)target;
	return kp_set_flag(value, &common.help, err);
}

static int set_color(const char *value, void *target, struct kp_err *err)
{
	(void)target;
	return kp_set_text(value, &common.color, err);
}

static const struct kp_option common_options[] = {
	{0, "color", "WHEN",
	 "colour the output: on a terminal unless NO_COLOR is set (auto), always, or never",
	 .values = "auto|always|never", .env = "KPROBE_COLOR", KP_OWN(set_color)},
	{'h', "help", NULL, "print this help and exit", KP_OWN(set_help)},
	{0},
};

bool kp_cli_color(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	if (common.color && strcmp(common.color, "auto") != 0)
		return !strcmp(common.color, "always");
	return out && !(no_color && *no_color) && isatty(fileno(out));
}

const struct kp_option *kp_cli_option(const struct kp_command *command, int index)
{
	const struct kp_option *o = command->options;

	while (index && o->long_name) {
		o++;
		index--;
	}
	if (o->long_name)
		return o;
	return index < 2 ? &common_options[index] : NULL;
}

/* --- the value --- */

/* Whether value is one of the words of "a|b|c". */
static bool in_values(const char *values, const char *value)
{
	size_t len = strlen(value), n;

	for (; *values; values += n + (values[n] == '|')) {
		n = strcspn(values, "|");
		if (n == len && !strncmp(values, value, n))
			return true;
	}
	return false;
}

static int check_range(const struct kp_option *option, const char *value, struct kp_err *err)
{
	uint64_t number, least, most;
	int r = option->set(value, &number, err);

	if (r >= 0)
		r = option->set(option->least, &least, err);
	if (r >= 0)
		r = option->set(option->most, &most, err);
	if (r >= 0 && (number < least || number > most))
		r = kp_err_set(err, -EINVAL, "'%s' is not between %s and %s", value, option->least,
			       option->most);
	return r;
}

int kp_cli_apply(const struct kp_option *option, const char *value, void *request,
		 struct kp_err *err)
{
	int r = 0;

	if (option->values && !in_values(option->values, value))
		r = kp_err_set(err, -EINVAL, "'%s' is not one of %s", value, option->values);
	else if (option->least)
		r = check_range(option, value, err);
	if (r >= 0)
		r = option->set(value, (char *)request + option->at, err);
	return r < 0 ? kp_err_prefix(err, r, "--%s", option->long_name) : 0;
}

/* --- which option --- */

struct parse {
	const struct kp_command *command;
	void *request;
	bool seen[OPTION_MAX];
	int argc;
	char **argv;
	int at;       /* word that is read next */
	int operands; /* found so far, at argv[1…] */
};

static int unknown_long(const struct parse *p, const char *name, size_t len, struct kp_err *err)
{
	const struct kp_option *o;
	struct kp_nearest nearest;

	kp_nearest_init(&nearest, name, len);
	for (int i = 0; (o = kp_cli_option(p->command, i)); i++)
		kp_nearest_try(&nearest, o->long_name);
	if (nearest.best)
		return kp_err_set(err, -EINVAL, "unknown option '--%.*s'; did you mean '--%s'?",
				  (int)len, name, nearest.best);
	return kp_err_set(err, -EINVAL, "unknown option '--%.*s'", (int)len, name);
}

static int ambiguous_long(const struct parse *p, const char *name, size_t len, struct kp_err *err)
{
	const struct kp_option *o;
	struct kp_buf names = {0};
	int r;

	for (int i = 0; (o = kp_cli_option(p->command, i)); i++)
		if (!strncmp(o->long_name, name, len))
			kp_buf_printf(&names, "%s--%s", names.len ? ", " : "", o->long_name);
	r = kp_err_set(err, -EINVAL, "option '--%.*s' is ambiguous: %s", (int)len, name,
		       names.failed ? "" : names.data);
	kp_buf_done(&names);
	return r;
}

/* The index of the option of this name, or of the only one that begins so. */
static int find_long(const struct parse *p, const char *name, size_t len, struct kp_err *err)
{
	const struct kp_option *o;
	int found = -1, cnt = 0;

	for (int i = 0; (o = kp_cli_option(p->command, i)); i++) {
		if (strncmp(o->long_name, name, len) != 0)
			continue;
		if (!o->long_name[len])
			return i;
		found = i;
		cnt++;
	}
	if (cnt > 1 && len)
		return ambiguous_long(p, name, len, err);
	return cnt == 1 ? found : unknown_long(p, name, len, err);
}

static int find_short(const struct parse *p, char name, struct kp_err *err)
{
	const struct kp_option *o;

	for (int i = 0; (o = kp_cli_option(p->command, i)); i++)
		if (o->short_name && o->short_name == name)
			return i;
	return kp_err_set(err, -EINVAL, "unknown option '-%c'", name);
}

/* The value behind an option: given with it, or the next word. */
static int take_value(struct parse *p, const char *given, const struct kp_option *o,
		      const char *word, const char **ret_value, struct kp_err *err)
{
	if (!given && p->at == p->argc)
		return kp_err_set(err, -EINVAL, "option '%s' needs a value: --%s=%s", word,
				  o->long_name, o->arg);
	*ret_value = given ? given : p->argv[p->at++];
	return 0;
}

static int take(struct parse *p, int index, const char *value, struct kp_err *err)
{
	p->seen[index] = true;
	return kp_cli_apply(kp_cli_option(p->command, index), value, p->request, err);
}

static int read_long(struct parse *p, const char *word, struct kp_err *err)
{
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] ? word + 2 + len + 1 : NULL;
	int index = find_long(p, word + 2, len, err), r;
	const struct kp_option *o;

	if (index < 0)
		return index;
	o = kp_cli_option(p->command, index);
	if (!o->arg && value)
		return kp_err_set(err, -EINVAL, "option '--%s' takes no value: '%s'", o->long_name,
				  word);
	r = o->arg ? take_value(p, value, o, word, &value, err) : 0;
	return r < 0 ? r : take(p, index, value, err);
}

static int read_shorts(struct parse *p, const char *word, struct kp_err *err)
{
	char name[] = "-?";
	const struct kp_option *o;
	const char *value;
	int index, r;

	for (const char *at = word + 1; *at; at++) {
		index = find_short(p, *at, err);
		if (index < 0)
			return index;
		o = kp_cli_option(p->command, index);
		name[1] = *at;
		value = NULL;
		r = o->arg ? take_value(p, at[1] ? at + 1 : NULL, o, name, &value, err) : 0;
		if (r >= 0)
			r = take(p, index, value, err);
		if (r < 0 || o->arg)
			return r;
	}
	return 0;
}

/* 0, 1 when the options end here, or a negative errno. */
static int read_word(struct parse *p, struct kp_err *err)
{
	char *word = p->argv[p->at++];

	if (!strcmp(word, "--"))
		return 1;
	if (!strncmp(word, "--", 2))
		return read_long(p, word, err);
	if (*word == '-' && word[1])
		return read_shorts(p, word, err);
	p->argv[++p->operands] = word;
	return p->command->stop_at_operand;
}

static int read_words(struct parse *p, struct kp_err *err)
{
	int r = 0;

	while (r == 0 && !common.help && p->at < p->argc)
		r = read_word(p, err);
	if (r < 0)
		return r;
	if (r && p->command->stop_at_operand && !p->operands && p->at == p->argc)
		return kp_err_set(err, -EINVAL, "nothing follows '--': a command should");
	while (p->at < p->argc)
		p->argv[++p->operands] = p->argv[p->at++];
	p->argv[p->operands + 1] = NULL;
	return 0;
}

/* Returns -1 - status. */
static int print_help(const struct kp_command *command)
{
	struct kp_buf out = {0};

	kp_cli_help(command, &out);
	return -1 - kp_cli_finish(&out);
}

/* A machine that could not read the settings is no wrong usage. */
static bool is_machines(int code)
{
	return code == -EIO || code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

int kp_cli_parse(const struct kp_command *command, int argc, char **argv, void *request)
{
	struct parse p = {
		.command = command, .request = request, .argc = argc, .argv = argv, .at = 1};
	struct kp_err err = {""};
	int r;

	memset(&common, 0, sizeof(common));
	r = read_words(&p, &err);
	if (r >= 0 && common.help)
		return print_help(command);
	if (r >= 0)
		r = kp_cli_settings(command, p.seen, request, &err);
	if (r >= 0)
		return p.operands;
	if (is_machines(r)) {
		kp_cli_error(&err);
		return -1 - KP_EXIT_FAILED;
	}
	return -1 - kp_cli_usage(command, &err);
}
