/* SPDX-License-Identifier: MIT
 * kprobe: the command table, nothing else.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static void put_usage(struct kp_buf *out)
{
	kp_buf_puts(out, "usage: kprobe COMMAND [options]\n\n"
			 "A flight recorder and debugger for distributed systems.\n\ncommands:\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		kp_buf_printf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	kp_buf_puts(out,
		    "\n'kprobe COMMAND --help' lists a command's options; 'man kprobe' has the "
		    "rest.\n");
}

/*
 * A standard descriptor that is closed must not become that of a file which is opened next. What
 * takes its place cannot be used, and a command that is recorded does not see it.
 */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int unknown_command(const char *name)
{
	struct kp_nearest nearest;

	kp_nearest_init(&nearest, name, strlen(name));
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		kp_nearest_try(&nearest, (*c)->name);
	kp_nearest_try(&nearest, "help");
	if (nearest.best)
		kp_cli_say("'%s' is not a command; did you mean '%s'?", name, nearest.best);
	else
		kp_cli_say("'%s' is not a command", name);
	kp_cli_line("Try 'kprobe help'.");
	return KP_EXIT_USAGE;
}

/* help, or help COMMAND. */
static int help(const char *name)
{
	const struct kp_command *command = name ? kp_cli_find(name, strlen(name)) : NULL;
	struct kp_buf out = {0};

	if (name && !command)
		return unknown_command(name);
	if (command)
		kp_cli_help(command, &out);
	else
		put_usage(&out);
	return kp_cli_finish(&out);
}

static bool is_one_of(const char *name, const char *a, const char *b, const char *c)
{
	return !strcmp(name, a) || !strcmp(name, b) || !strcmp(name, c);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct kp_command *command = kp_cli_find(name, strlen(name));
	struct kp_buf out = {0};

	hold_standard_descriptors();
	if (command)
		return command->run(argc - 1, argv + 1);
	if (is_one_of(name, "help", "--help", "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	if (is_one_of(name, "version", "--version", "-V")) {
		kp_buf_puts(&out, "kprobe " KP_VERSION "\n");
		return kp_cli_finish(&out);
	}
	if (*name)
		return unknown_command(name);
	put_usage(&out);
	kp_cli_lines(&out);
	kp_buf_done(&out);
	return KP_EXIT_USAGE;
}
