/* SPDX-License-Identifier: MIT
 *
 * The option parser over a command's table, its help, and the sources of values behind the command
 * line: environment, then the configuration file.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION_MAX 48
#define HELP_WIDTH 79
#define DEFAULT_CONFIG "/etc/kprobe/config"

static const struct kp_option common_options[] = {
	{.long_name = "color",
	 .arg = "WHEN",
	 .help = "colour the output: on a terminal unless NO_COLOR is set (auto), always, or never",
	 .values = "auto|always|never"},
	{.short_name = 'h', .long_name = "help", .help = "print this help and exit"},
	{0},
};
enum { COMMON_COLOR, COMMON_HELP };

static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_mode;

static int option_cnt(const struct kp_option *options)
{
	int n = 0;

	while (options[n].long_name)
		n++;
	return n;
}

bool kp_cli_color(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	if (color_mode != COLOR_AUTO)
		return color_mode == COLOR_ALWAYS;
	return !(no_color && *no_color) && isatty(fileno(out));
}

int kp_cli_status(int code)
{
	switch (code) {
	case -ENOENT:
		return KP_EXIT_NOT_FOUND;
	case -EBADMSG:
		return KP_EXIT_CORRUPT;
	case -EPERM:
	case -EACCES:
	case -EOPNOTSUPP:
		return KP_EXIT_KERNEL;
	default:
		return code < 0 ? KP_EXIT_FAILED : KP_EXIT_OK;
	}
}

void kp_cli_each_option(const struct kp_command *command,
			void (*fn)(const struct kp_option *option, void *arg), void *arg)
{
	for (const struct kp_option *o = command->options; o->long_name; o++)
		fn(o, arg);
	for (const struct kp_option *o = common_options; o->long_name; o++)
		fn(o, arg);
}

static void help_option(const struct kp_option *option, void *arg)
{
	char shorts[8] = "    ";

	if (option->short_name)
		snprintf(shorts, sizeof(shorts), "-%c, ", option->short_name);
	kp_buf_printf(arg, "  %s--%s%s%s\n", shorts, option->long_name, option->arg ? " " : "",
		      option->arg ? option->arg : "");
	kp_buf_printf(arg, "          %s%s\n", option->help,
		      option->repeat ? "; may be repeated" : "");
}

/* Prints sentences in lines of at most HELP_WIDTH columns. */
static void print_wrapped(const char *text, struct kp_buf *out)
{
	size_t column = 0, begin, len;

	for (; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		if (column && column + 1 + len > HELP_WIDTH) {
			kp_buf_putc(out, '\n');
			column = 0;
		}
		begin = out->len;
		kp_buf_printf(out, "%s%.*s", column ? " " : "  ", (int)len, text);
		column += out->len - begin;
	}
	kp_buf_putc(out, '\n');
}

void kp_cli_help(const struct kp_command *command, struct kp_buf *out)
{
	const char *line = command->usage;

	kp_buf_printf(out, "kprobe %s: %s\n\n", command->name, command->summary);
	for (const char *lead = "usage: "; *line; lead = "       ") {
		size_t len = strcspn(line, "\n");

		kp_buf_printf(out, "%skprobe %.*s\n", lead, (int)len, line);
		line += len + (line[len] == '\n');
	}
	kp_buf_printf(out, "\noptions:\n");
	kp_cli_each_option(command, help_option, out);
	if (command->limits) {
		kp_buf_printf(out, "\nlimits:\n");
		print_wrapped(command->limits, out);
	}
}

/* Returns -1 - status. */
static int print_help(const struct kp_command *command)
{
	struct kp_buf out = {0};

	kp_cli_help(command, &out);
	return -1 - kp_cli_finish(&out);
}

static int usage_error(const struct kp_command *command, const struct kp_err *err)
{
	kp_cli_error(err);
	kp_cli_line("Try 'kprobe %s --help'.", command->name);
	return -1 - KP_EXIT_USAGE;
}

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

static int check_value(const struct kp_option *option, const char *value, struct kp_err *err)
{
	if (option->values && value && !in_values(option->values, value))
		return kp_err_set(err, -EINVAL, "--%s: '%s' is not one of %s", option->long_name,
				  value, option->values);
	return 0;
}

static void set_color(const char *value)
{
	color_mode = *value == 'n' ? COLOR_NEVER : value[1] == 'l' ? COLOR_ALWAYS : COLOR_AUTO;
}

/* Fills getopt's two forms of the table: own options count from 0, common ones follow. */
static int build_getopt(const struct kp_command *command, struct option *longs, char *shorts)
{
	int own = option_cnt(command->options), n = own + option_cnt(common_options);
	const struct kp_option *o;

	if (n >= OPTION_MAX)
		abort();
	*shorts++ = command->stop_at_operand ? '+' : '-';
	*shorts++ = ':';
	for (int i = 0; i < n; i++) {
		o = i < own ? &command->options[i] : &common_options[i - own];
		longs[i] = (struct option){.name = o->long_name,
					   .has_arg = o->arg ? required_argument : no_argument,
					   .val = 256 + i};
		if (o->short_name) {
			*shorts++ = o->short_name;
			if (o->arg)
				*shorts++ = ':';
		}
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
	return own;
}

static int index_of_short(const struct kp_command *command, int own, int c)
{
	for (int i = 0; i < own; i++)
		if (command->options[i].short_name == c)
			return i;
	return own + COMMON_HELP;
}

/* One option that takes its value from text ("yes"/"no" for flags). */
static int set_from_text(const struct kp_command *command, int index, const char *text,
			 const char *source, kp_option_fn set, void *arg, struct kp_err *err)
{
	const struct kp_option *o = &command->options[index];
	int r;

	if (!o->arg) {
		if (!strcmp(text, "no") || !strcmp(text, "0") || !*text)
			return 0;
		if (strcmp(text, "yes") && strcmp(text, "1"))
			return kp_err_set(err, -EINVAL, "%s: '%s' is neither yes nor no", source,
					  text);
	}
	r = check_value(o, o->arg ? text : NULL, err);
	if (r >= 0)
		r = set(index, o->arg ? text : NULL, arg, err);
	return r < 0 ? kp_err_prefix(err, r, "%s", source) : 0;
}

/* Splits "name = value" in place; false for blank lines and comments. */
static bool split_setting(char *line, char **ret_name, char **ret_value)
{
	char *eq, *end;

	while (isspace((unsigned char)*line))
		line++;
	eq = strchr(line, '=');
	if (!*line || *line == '#' || !eq)
		return false;
	for (end = eq; end > line && isspace((unsigned char)end[-1]);)
		end--;
	*end = '\0';
	*ret_name = line;
	line = eq + 1;
	while (isspace((unsigned char)*line))
		line++;
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]);)
		end--;
	*end = '\0';
	*ret_value = line;
	return true;
}

/* Values of absent options from the configuration file; a missing file is no error. */
static int read_config(const struct kp_command *command, const bool *seen, kp_option_fn set,
		       void *arg, struct kp_err *err)
{
	const char *path = getenv("KPROBE_CONFIG");
	size_t prefix = strlen(command->name), cap = 0;
	char *line = NULL, *name, *value;
	FILE *file = fopen(path ? path : DEFAULT_CONFIG, "re");
	int r = 0;

	if (!file)
		return path ? kp_err_sys(err, -errno, "cannot read %s", path) : 0;
	while (r >= 0 && getline(&line, &cap, file) > 0) {
		if (!split_setting(line, &name, &value) || strncmp(name, command->name, prefix) ||
		    name[prefix] != '.')
			continue;
		for (int i = 0; command->options[i].long_name; i++)
			if (!strcmp(command->options[i].long_name, name + prefix + 1) && !seen[i])
				r = set_from_text(command, i, value, path ? path : DEFAULT_CONFIG,
						  set, arg, err);
	}
	free(line);
	fclose(file);
	return r;
}

static int read_environment(const struct kp_command *command, bool *seen, kp_option_fn set,
			    void *arg, struct kp_err *err)
{
	const char *text;
	int r;

	for (int i = 0; command->options[i].long_name; i++) {
		const char *env = command->options[i].env;

		text = env && !seen[i] ? getenv(env) : NULL;
		if (!text)
			continue;
		r = set_from_text(command, i, text, env, set, arg, err);
		if (r < 0)
			return r;
		seen[i] = true;
	}
	return 0;
}

/* Text for an option that getopt refused (c: '?' unknown, ':' value missing). */
static int getopt_error(int c, char **argv, struct kp_err *err)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return kp_err_set(err, -EINVAL, "option '%s' needs a value", word);
	if (optopt && optopt < 256)
		return kp_err_set(err, -EINVAL, "unknown option '-%c'", optopt);
	return kp_err_set(err, -EINVAL, "unknown, ambiguous or valued option '%s'", word);
}

/*
 * The command line itself. Operands are gathered at argv[1…]; returns their number, -1 - status
 * after --help, or a negative errno with err set.
 */
static int read_arguments(const struct kp_command *command, int argc, char **argv, bool *seen,
			  kp_option_fn set, void *arg, struct kp_err *err)
{
	struct option longs[OPTION_MAX];
	char shorts[2 * OPTION_MAX + 3];
	int own = build_getopt(command, longs, shorts), operands = 0, c, i, r;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 1) {
			argv[++operands] = optarg;
			continue;
		}
		if (c == '?' || c == ':')
			return getopt_error(c, argv, err);
		i = c >= 256 ? c - 256 : index_of_short(command, own, c);
		if (i == own + COMMON_HELP) {
			return print_help(command);
		}
		r = check_value(i < own ? &command->options[i] : &common_options[i - own], optarg,
				err);
		if (r < 0)
			return r;
		if (i == own + COMMON_COLOR) {
			set_color(optarg);
			continue;
		}
		seen[i] = true;
		r = set(i, optarg, arg, err);
		if (r < 0)
			return kp_err_prefix(err, r, "--%s", command->options[i].long_name);
	}
	while (optind < argc)
		argv[++operands] = argv[optind++];
	return operands;
}

int kp_cli_parse(const struct kp_command *command, int argc, char **argv, kp_option_fn set,
		 void *arg)
{
	bool seen[OPTION_MAX] = {false};
	struct kp_err err = {""};
	int operands, r;

	operands = read_arguments(command, argc, argv, seen, set, arg, &err);
	if (operands < 0)
		return err.text[0] ? usage_error(command, &err) : operands;
	r = read_environment(command, seen, set, arg, &err);
	if (r >= 0)
		r = read_config(command, seen, set, arg, &err);
	return r < 0 ? usage_error(command, &err) : operands;
}
