/* SPDX-License-Identifier: MIT
 * The option parser over a table of its own, and the sources of values behind the command line.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"

enum { OPT_OUTPUT, OPT_FORMAT, OPT_STRICT, OPT_PID };

static const struct kp_option options[] = {
	{'o', "output", "DIR", "the log", NULL, false, "KPROBE_TEST_OUTPUT"},
	{'f', "format", "FORMAT", "the form", "text|json", false, NULL},
	{0, "strict", NULL, "fail on loss", NULL, false, "KPROBE_TEST_STRICT"},
	{'p', "pid", "PID", "a process", NULL, true, NULL},
	{0},
};

static const struct kp_command command = {
	.name = "trial", .summary = "a trial", .usage = "trial [options]\n", .options = options};

struct seen {
	char output[64];
	char format[16];
	bool strict;
	int pids;
};

static int take(int index, const char *value, void *arg, struct kp_err *err)
{
	struct seen *seen = arg;
	uint32_t pid;

	switch (index) {
	case OPT_OUTPUT:
		snprintf(seen->output, sizeof(seen->output), "%s", value);
		return 0;
	case OPT_FORMAT:
		snprintf(seen->format, sizeof(seen->format), "%s", value);
		return 0;
	case OPT_STRICT:
		seen->strict = true;
		return 0;
	default:
		seen->pids++;
		return kp_parse_u32(value, &pid, err);
	}
}

/* Parses the NULL-ended words; operands are left in argv. */
static int parse(const struct kp_command *of, char **argv, struct seen *seen)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	memset(seen, 0, sizeof(*seen));
	return kp_cli_parse(of, argc, argv, take, seen);
}

static void no_config(void)
{
	unsetenv("KPROBE_TEST_OUTPUT");
	unsetenv("KPROBE_TEST_STRICT");
	setenv("KPROBE_CONFIG", "/dev/null", 1);
}

TestSuite(options, .init = no_config);

Test(options, long_short_and_operands_mix)
{
	char *argv[] = {"trial",    "one", "-o", "D",     "--format=json",
			"two",      "-p",  "1",  "--pid", "2",
			"--strict", "--",  "-o", NULL};
	struct seen seen;

	cr_assert_eq(parse(&command, argv, &seen), 3);
	cr_assert_str_eq(argv[1], "one");
	cr_assert_str_eq(argv[2], "two");
	cr_assert_str_eq(argv[3], "-o");
	cr_assert_str_eq(seen.output, "D");
	cr_assert_str_eq(seen.format, "json");
	cr_assert(seen.strict);
	cr_assert_eq(seen.pids, 2);
}

Test(options, a_command_line_behind_the_first_operand_is_left_alone)
{
	struct kp_command stopping = command;
	char *argv[] = {"trial", "-o", "D", "ls", "-o", "--strict", NULL};
	struct seen seen;

	stopping.stop_at_operand = true;
	cr_assert_eq(parse(&stopping, argv, &seen), 3);
	cr_assert_str_eq(argv[2], "-o");
	cr_assert_not(seen.strict);
	cr_assert_str_eq(seen.output, "D");
}

Test(options, wrong_usage_is_status_2)
{
	char *bad[][4] = {{"trial", "--nonsense", NULL},   {"trial", "-x", NULL},
			  {"trial", "-o", NULL},           {"trial", "--format", "xml", NULL},
			  {"trial", "--strict=yes", NULL}, {"trial", "-p", "12x", NULL}};
	struct seen seen;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(parse(&command, bad[i], &seen), -1 - KP_EXIT_USAGE, "case %zu", i);
}

Test(options, help_ends_with_status_0)
{
	char *argv[] = {"trial", "--help", NULL};
	struct seen seen;

	cr_assert_eq(parse(&command, argv, &seen), -1 - KP_EXIT_OK);
}

Test(options, flags_beat_variables_beat_the_file)
{
	char path[] = "/tmp/kprobe-config-XXXXXX";
	int fd = mkstemp(path);
	char *with[] = {"trial", "-o", "flag", NULL}, *without[] = {"trial", NULL};
	static const char text[] = "# a comment\n\ntrial.output = file\ntrial.format=json\n"
				   "other.output = no\ntrial.strict = yes\n";
	struct seen seen;

	cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
	setenv("KPROBE_CONFIG", path, 1);
	cr_assert_eq(parse(&command, without, &seen), 0);
	cr_assert_str_eq(seen.output, "file");
	cr_assert_str_eq(seen.format, "json");
	cr_assert(seen.strict);

	setenv("KPROBE_TEST_OUTPUT", "variable", 1);
	setenv("KPROBE_TEST_STRICT", "no", 1);
	cr_assert_eq(parse(&command, without, &seen), 0);
	cr_assert_str_eq(seen.output, "variable");
	cr_assert_not(seen.strict);
	cr_assert_eq(parse(&command, with, &seen), 0);
	cr_assert_str_eq(seen.output, "flag");
	unlink(path);
}

Test(options, bad_values_of_variables_and_files_are_usage_errors)
{
	char *argv[] = {"trial", NULL};
	struct seen seen;

	setenv("KPROBE_TEST_STRICT", "maybe", 1);
	cr_assert_eq(parse(&command, argv, &seen), -1 - KP_EXIT_USAGE);
	unsetenv("KPROBE_TEST_STRICT");
	setenv("KPROBE_CONFIG", "/nonexistent/config", 1);
	cr_assert_eq(parse(&command, argv, &seen), -1 - KP_EXIT_USAGE);
}

Test(options, every_table_is_sound)
{
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		cr_assert((*c)->summary && (*c)->usage && (*c)->run, "%s", (*c)->name);
		for (const struct kp_option *o = (*c)->options; o->long_name; o++) {
			cr_assert(o->help && *o->help, "%s --%s has no help", (*c)->name,
				  o->long_name);
			cr_assert(o->help[strlen(o->help) - 1] != '.', "--%s ends in a stop",
				  o->long_name);
			cr_assert(o->arg || !o->values, "--%s has values without argument",
				  o->long_name);
			cr_assert(o->short_name != 'h' && strcmp(o->long_name, "help") &&
					  strcmp(o->long_name, "color"),
				  "--%s is a common option", o->long_name);
			for (const struct kp_option *p = o + 1; p->long_name; p++)
				cr_assert(
					strcmp(o->long_name, p->long_name) &&
						(!o->short_name || o->short_name != p->short_name),
					"%s: --%s and --%s collide", (*c)->name, o->long_name,
					p->long_name);
		}
	}
}
