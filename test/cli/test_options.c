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

struct seen {
	const char *output;
	const char *format;
	bool strict;
	int pids;
	uint64_t size;
	uint64_t wait_ns;
};

static int take_pid(const char *value, void *target, struct kp_err *err)
{
	struct seen *seen = target;
	uint32_t pid;

	seen->pids++;
	return kp_parse_u32(value, &pid, err);
}

static const struct kp_option options[] = {
	{'o', "output", "DIR", "the log", .env = "KPROBE_TEST_OUTPUT",
	 KP_TEXT(struct seen, output)},
	{'f', "format", "FORMAT", "the form", .values = "text|json", KP_TEXT(struct seen, format)},
	{'s', "strict", NULL, "fail on loss", .env = "KPROBE_TEST_STRICT",
	 KP_FLAG(struct seen, strict)},
	{'p', "pid", "PID", "a process", .repeat = true, KP_OWN(take_pid)},
	{0, "size", "SIZE", "a size", .least = "64K", .most = "1G", KP_SIZE(struct seen, size)},
	{0, "wait", "TIME", "a time", .least = "0", .most = "1h",
	 KP_DURATION(struct seen, wait_ns)},
	{0},
};

static const struct kp_command command = {
	.name = "trial", .summary = "a trial", .usage = "trial [options]\n", .options = options};

/* Parses the NULL-ended words; operands are left in argv. */
static int parse(const struct kp_command *of, char **argv, struct seen *seen)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	memset(seen, 0, sizeof(*seen));
	return kp_cli_parse(of, argc, argv, seen);
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

Test(options, forms_of_an_option)
{
	char *argv[] = {"trial", "-oD", "-sfjson", "--si", "1M", "--wait=5s", "-", NULL};
	struct seen seen;

	cr_assert_eq(parse(&command, argv, &seen), 1);
	cr_assert_str_eq(argv[1], "-");
	cr_assert_null(argv[2]);
	cr_assert_str_eq(seen.output, "D");
	cr_assert_str_eq(seen.format, "json");
	cr_assert(seen.strict);
	cr_assert_eq(seen.size, 1 << 20);
	cr_assert_eq(seen.wait_ns, 5000000000);
}

/* What is said of a command line, the hint at --help behind it left out. */
static const char *said(char **argv)
{
	static char text[4096];
	FILE *old = stderr;
	struct seen seen;
	char *hint;
	int r;

	stderr = fmemopen(text, sizeof(text), "w");
	r = parse(&command, argv, &seen);
	fclose(stderr);
	stderr = old;
	cr_assert_eq(r, -1 - KP_EXIT_USAGE, "%s", argv[1]);
	hint = strstr(text, "\nTry 'kprobe trial --help'.\n");
	cr_assert_not_null(hint, "%s", text);
	*hint = '\0';
	return text;
}

Test(options, each_mistake_has_its_own_words)
{
	static struct {
		char *argv[4];
		const char *said;
	} rows[] = {
		{{"trial", "--ouptut", "D"}, "unknown option '--ouptut'; did you mean '--output'?"},
		{{"trial", "--stricter"}, "unknown option '--stricter'; did you mean '--strict'?"},
		{{"trial", "--nonsense"}, "unknown option '--nonsense'"},
		{{"trial", "--=x"}, "unknown option '--'"},
		{{"trial", "-x"}, "unknown option '-x'"},
		{{"trial", "-sx"}, "unknown option '-x'"},
		{{"trial", "--s"}, "option '--s' is ambiguous: --strict, --size"},
		{{"trial", "-o"}, "option '-o' needs a value: --output=DIR"},
		{{"trial", "--out"}, "option '--out' needs a value: --output=DIR"},
		{{"trial", "--strict=yes"}, "option '--strict' takes no value: '--strict=yes'"},
		{{"trial", "--output="}, "--output: the value is empty"},
		{{"trial", "-f", "xml"}, "--format: 'xml' is not one of text|json"},
		{{"trial", "-p", "12x"}, "--pid: '12x' is not a whole number"},
		{{"trial", "--size", "1K"}, "--size: '1K' is not between 64K and 1G"},
		{{"trial", "--size", "2G"}, "--size: '2G' is not between 64K and 1G"},
		{{"trial", "--wait", "61m"}, "--wait: '61m' is not between 0 and 1h"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *text = said(rows[i].argv);

		cr_expect(strncmp(text, "kprobe: ", 8) == 0 && !strcmp(text + 8, rows[i].said),
			  "row %zu: %s", i, text);
	}
}

Test(options, dashes_without_a_command)
{
	struct kp_command stopping = command;
	char *bare[] = {"trial", "--", NULL}, *again[] = {"trial", "--", NULL},
	     *none[] = {"trial", NULL};
	char *with[] = {"trial", "--", "ls", "--strict", NULL};
	struct seen seen;

	cr_assert_eq(parse(&command, bare, &seen), 0);
	stopping.stop_at_operand = true;
	cr_assert_eq(parse(&stopping, again, &seen), -1 - KP_EXIT_USAGE);
	cr_assert_eq(parse(&stopping, none, &seen), 0);
	cr_assert_eq(parse(&stopping, with, &seen), 2);
	cr_assert_str_eq(with[2], "--strict");
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
				   "dump.count = 3\ntrial.strict = yes\n";
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

/* A file with this text, as KPROBE_CONFIG. */
static void configure(const char *text)
{
	static const char path[] = "/tmp/kprobe-test-config";
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	setenv("KPROBE_CONFIG", path, 1);
}

Test(options, bad_values_of_variables_and_files_are_usage_errors)
{
	char *argv[] = {"trial", NULL};

	setenv("KPROBE_TEST_STRICT", "maybe", 1);
	cr_expect_str_eq(said(argv), "kprobe: KPROBE_TEST_STRICT: 'maybe' is neither yes nor no");
	setenv("KPROBE_TEST_STRICT", "", 1);
	setenv("KPROBE_CONFIG", "/nonexistent/config", 1);
	cr_expect_str_eq(said(argv), "kprobe: cannot read /nonexistent/config: No such file or "
				     "directory");
	configure("\ntrial.size = 5\n");
	cr_expect_str_eq(said(argv),
			 "kprobe: /tmp/kprobe-test-config:2: --size: '5' is not between "
			 "64K and 1G");
	unlink("/tmp/kprobe-test-config");
}

Test(options, settings_that_nobody_knows_are_usage_errors)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"trial.formt = json", "'trial.formt' is not known; did you mean 'trial.format'?"},
		{"record.best-of = 4G",
		 "'record.best-of' is not known; 'kprobe record --help' lists the options"},
		{"dump.cuont = 4", "'dump.cuont' is not known; did you mean 'dump.count'?"},
		{"output = D",
		 "'output' does not begin with the name of a command and a full stop"},
		{"trial.output D", "'trial.output D' is not of the form COMMAND.OPTION = VALUE"},
	};
	char *argv[] = {"trial", NULL}, text[256];
	struct seen seen;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		configure(rows[i].text);
		snprintf(text, sizeof(text), "kprobe: /tmp/kprobe-test-config:1: %s", rows[i].said);
		cr_expect_str_eq(said(argv), text);
	}
	configure("dump.count = 4\n\trecord.ring=1M \r\n");
	cr_expect_eq(parse(&command, argv, &seen), 0);
	unlink("/tmp/kprobe-test-config");
	no_config();
	setenv("KPROBE_OUTPTU", "D", 1);
	cr_expect_str_eq(said(argv),
			 "kprobe: environment variable 'KPROBE_OUTPTU' is not known; did "
			 "you mean 'KPROBE_OUTPUT'?");
	unsetenv("KPROBE_OUTPTU");
	/* What Kubernetes sets where a service has our name. */
	setenv("KPROBE_SERVICE_HOST", "10.0.0.1", 1);
	setenv("KPROBE_PORT", "tcp://10.0.0.1:80", 1);
	setenv("KPROBE_PORT_80_TCP_ADDR", "10.0.0.1", 1);
	setenv("KPROBE_OTLP_SERVICE_PORT_GRPC", "4317", 1);
	cr_expect_eq(parse(&command, argv, &seen), 0);
}

Test(options, every_table_is_sound)
{
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		cr_assert((*c)->summary && (*c)->usage && (*c)->run, "%s", (*c)->name);
		for (const struct kp_option *o = (*c)->options; o->long_name; o++) {
			uint64_t least, most;

			cr_assert(o - (*c)->options < 40);
			cr_assert_not_null(o->set, "--%s sets nothing", o->long_name);
			cr_assert_eq(!o->least, !o->most, "--%s has one limit", o->long_name);
			if (o->least) {
				cr_assert_eq(o->set(o->least, &least, NULL), 0);
				cr_assert_eq(o->set(o->most, &most, NULL), 0);
				cr_assert_lt(least, most);
			}
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
