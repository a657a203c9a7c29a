/* SPDX-License-Identifier: MIT
 *
 * Subcommands and their options. Each subcommand has one table of options (in its own file), from
 * which come the parser, --help, the completions and the option list of its man page.
 */
#ifndef KP_CLI_CLI_H
#define KP_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/* Exit statuses; a contract (kprobe(1)). */
enum kp_exit {
	KP_EXIT_OK = 0,
	KP_EXIT_FAILED = 1,
	KP_EXIT_USAGE = 2,
	KP_EXIT_NOT_FOUND = 3,
	KP_EXIT_CORRUPT = 4,
	KP_EXIT_KERNEL = 5,
	KP_EXIT_LOST = 6,
	KP_EXIT_DIVERGED = 7,
	KP_EXIT_CANNOT_JUDGE = 125,
};

struct kp_option {
	char short_name; /* 0: none */
	const char *long_name;
	const char *arg;    /* name of its value in the help; NULL: a flag */
	const char *help;   /* one sentence without full stop */
	const char *values; /* "a|b|c" if the value is one of these, for the check and completion */
	bool repeat;        /* may be given more than once */
	const char *env; /* variable that sets it when the flag is absent (KPROBE_…), or NULL */
};

struct kp_command {
	const char *name;
	const char *summary;             /* one line */
	const char *usage;               /* lines after "usage: kprobe ", each ended by \n */
	const char *limits;              /* what does not work yet, in sentences; NULL: nothing */
	const struct kp_option *options; /* ended by long_name NULL; --help and --color are added */
	bool stop_at_operand; /* the first operand ends the options (record COMMAND …) */
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns kp_exit */
};

/* All subcommands, ended by name NULL. */
extern const struct kp_command *const kp_commands[];

/*
 * Takes one option: its index in command->options and its value (NULL for a flag). A negative errno
 * with err set stops the parse as wrong usage.
 */
typedef int (*kp_option_fn)(int index, const char *value, void *arg, struct kp_err *err);

/*
 * Parses argv[1…] against command->options and calls set for each option given; then for each
 * option that was absent, from its environment variable, or from the line "COMMAND.OPTION = VALUE"
 * of /etc/kprobe/config (KPROBE_CONFIG names another file; a flag's value is yes or no).
 * --help prints and ends. "--" ends the options. Returns the number of operands, moved to argv[1…]
 * in their order; when the command must not run, -1 - status with status a kp_exit, the message
 * printed.
 */
int kp_cli_parse(const struct kp_command *command, int argc, char **argv, kp_option_fn set,
		 void *arg);

/* Whether to colour what goes to out: --color, NO_COLOR, and whether out is a terminal. */
bool kp_cli_color(FILE *out);

/*
 * What is printed goes through these, with base/text.h's escapes. To stderr: a line that begins
 * with "kprobe: ", a line without, lines as they are in a buffer, an error.
 */
void kp_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kp_cli_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kp_cli_lines(const struct kp_buf *text);
void kp_cli_error(const struct kp_err *err);

/*
 * Lines to a file that is made or emptied for them; NULL or "-": stdout. 0 or a negative errno with
 * err set; -EPIPE when the reader of stdout has seen enough and SIGPIPE is ignored.
 */
int kp_cli_write(const char *path, const struct kp_buf *text, struct kp_err *err);

/* Writes to stdout, frees text, and gives the exit status. */
int kp_cli_finish(struct kp_buf *text);

void kp_cli_help(const struct kp_command *command, struct kp_buf *out);

/*
 * The options that every subcommand has (--color, --help) behind its own: calls fn for each, own
 * ones first, so that help, completions and man pages list the same.
 */
void kp_cli_each_option(const struct kp_command *command,
			void (*fn)(const struct kp_option *option, void *arg), void *arg);

/* Exit status for a negative errno of the lower layers. */
int kp_cli_status(int code);

/* Parsers of values; 0 or -EINVAL with err. */
int kp_parse_size(const char *text, uint64_t *ret_bytes, struct kp_err *err);  /* 64M, 1G, 4096 */
int kp_parse_duration(const char *text, uint64_t *ret_ns, struct kp_err *err); /* 5s, 100ms, 2h */
int kp_parse_u32(const char *text, uint32_t *ret_value, struct kp_err *err);
/* RFC 3339 or seconds since the epoch with fraction → nanoseconds of CLOCK_REALTIME. */
int kp_parse_time(const char *text, uint64_t *ret_realtime_ns, struct kp_err *err);

#endif
