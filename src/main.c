/* SPDX-License-Identifier: MIT
 * kprobe: the command table, nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_usage(FILE *out)
{
	fprintf(out, "usage: kprobe COMMAND [options]\n\n"
		     "A flight recorder and debugger for distributed systems.\n\ncommands:\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fprintf(out, "\n'kprobe COMMAND --help' lists a command's options; 'man kprobe' has the "
		     "rest.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (const struct kp_command *const *c = kp_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return (*c)->run(argc - 1, argv + 1);
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("kprobe " KP_VERSION);
		return KP_EXIT_OK;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return KP_EXIT_OK;
	}
	if (*name)
		fprintf(stderr, "kprobe: '%s' is not a command\n", name);
	print_usage(stderr);
	return KP_EXIT_USAGE;
}
