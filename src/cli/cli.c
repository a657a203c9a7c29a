/* SPDX-License-Identifier: MIT
 * What commands have in common: their help, and what an error means for the exit status.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#define HELP_WIDTH 79

const struct kp_command *kp_cli_find(const char *name, size_t len)
{
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		if (strlen((*c)->name) == len && !strncmp((*c)->name, name, len))
			return *c;
	return NULL;
}

int kp_cli_status(int code)
{
	switch (code) {
	case -ENOENT:
	case -ESRCH:
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

static void help_option(const struct kp_option *option, struct kp_buf *out)
{
	char shorts[8] = "    ";

	if (option->short_name)
		snprintf(shorts, sizeof(shorts), "-%c, ", option->short_name);
	kp_buf_printf(out, "  %s--%s%s%s\n", shorts, option->long_name, option->arg ? " " : "",
		      option->arg ? option->arg : "");
	kp_buf_printf(out, "          %s", option->help);
	if (option->least)
		kp_buf_printf(out, "; %s to %s", option->least, option->most);
	kp_buf_printf(out, "%s\n", option->repeat ? "; may be repeated" : "");
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
	const struct kp_option *o;

	kp_buf_printf(out, "kprobe %s: %s\n\n", command->name, command->summary);
	for (const char *lead = "usage: "; *line; lead = "       ") {
		size_t len = strcspn(line, "\n");

		kp_buf_printf(out, "%skprobe %.*s\n", lead, (int)len, line);
		line += len + (line[len] == '\n');
	}
	kp_buf_printf(out, "\noptions:\n");
	for (int i = 0; (o = kp_cli_option(command, i)); i++)
		help_option(o, out);
	if (command->limits) {
		kp_buf_printf(out, "\nlimits:\n");
		print_wrapped(command->limits, out);
	}
}
