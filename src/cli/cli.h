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
	const char *summary; /* one line */
	const char *usage;   /* lines after "usage: kprobe ", each ended by \n */
	const char *limits;  /* what does not work yet, for the end of --help; NULL: nothing */
	const struct kp_option *options; /* ended by long_name NULL; --help and --color are added */
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns kp_exit */
};

/* All subcommands, ended by name NULL. */
extern const struct kp_command *const kp_commands[];

/*
 * Parses argv against command->options, with --help handled, "--" and the first non-option ending
 * the options if stop_at_operand (record -- COMMAND), else operands may stand between options. For
 * each option given calls set(index in options, value or NULL, arg); then for variables from the
 * environment and lines of /etc/kprobe/config ("record.output = DIR") whose flag was absent.
 * Returns the number of operands, moved to argv[1…]; or a negative number: exit status is
 * -result - 1 (so that --help, status 0, is -1), message printed.
 */
typedef int (*kp_option_fn)(int index, const char *value, void *arg, struct kp_err *err);
int kp_cli_parse(const struct kp_command *command, int argc, char **argv, kp_option_fn set,
		 void *arg);

/* "kprobe: TEXT" to stderr. */
void kp_cli_error(const struct kp_err *err);
void kp_cli_help(const struct kp_command *command, FILE *out);

/* Exit status for a negative errno of the lower layers. */
int kp_cli_status(int code);

/* Parsers of values; 0 or -EINVAL with err. */
int kp_parse_size(const char *text, uint64_t *ret_bytes, struct kp_err *err);  /* 64M, 1G, 4096 */
int kp_parse_duration(const char *text, uint64_t *ret_ns, struct kp_err *err); /* 5s, 100ms, 2h */
int kp_parse_u32(const char *text, uint32_t *ret_value, struct kp_err *err);
/* RFC 3339 or seconds since the epoch with fraction → nanoseconds of CLOCK_REALTIME. */
int kp_parse_time(const char *text, uint64_t *ret_realtime_ns, struct kp_err *err);

#endif
