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

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct kp_buf out = {0};

	hold_standard_descriptors();
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return (*c)->run(argc - 1, argv + 1);
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		kp_buf_puts(&out, "kprobe " KP_VERSION "\n");
		return kp_cli_finish(&out);
	}
	put_usage(&out);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
		return kp_cli_finish(&out);
	if (*name)
		kp_cli_say("'%s' is not a command", name);
	kp_cli_lines(&out);
	kp_buf_done(&out);
	return KP_EXIT_USAGE;
}
