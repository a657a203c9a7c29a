/* SPDX-License-Identifier: MIT
 *
 * Subcommands and their options. Each subcommand has one table of options (in its own file), from
 * which come the parser, --help, the completions and the option list of its man page.
 */
#ifndef KP_CLI_CLI_H
#define KP_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "log/clock.h"
#include "log/reader.h"

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
	KP_EXIT_CANNOT_EXECUTE = 126, /* a command to be recorded, as with env(1) */
};

/*
 * Takes an option's value (NULL for a flag) into target. 0, or a negative errno with err set: wrong
 * usage.
 */
typedef int (*kp_set_fn)(const char *value, void *target, struct kp_err *err);

struct kp_option {
	char short_name; /* 0: none */
	const char *long_name;
	const char *arg;    /* name of its value in the help; NULL: a flag */
	const char *help;   /* one sentence without full stop */
	const char *values; /* "a|b|c" if the value is one of these, for the check and completion */
	const char *least;  /* limits of a value that sets a uint64_t, as a user writes them, … */
	const char *most;   /* … both or neither */
	const char *env; /* variable that sets it when the flag is absent (KPROBE_…), or NULL */
	bool repeat;     /* may be given more than once */
	kp_set_fn set;
	size_t at; /* offset of the target within the command's request */
};

/* Offset of a member that is of the type that its setter writes; the compiler checks that. */
#define KP_AT(request, member, type)                                                            \
	(offsetof(request, member) +                                                            \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((request *)0)->member), type) \
				 ? 1                                                            \
				 : -1]))

/* How a row ends: whose member it sets, and by which rules. */
#define KP_FLAG(request, member) .set = kp_set_flag, .at = KP_AT(request, member, bool)
#define KP_TEXT(request, member) .set = kp_set_text, .at = KP_AT(request, member, const char *)
#define KP_U32(request, member) .set = kp_set_u32, .at = KP_AT(request, member, uint32_t)
#define KP_U64(request, member) .set = kp_set_u64, .at = KP_AT(request, member, uint64_t)
#define KP_SIZE(request, member) .set = kp_set_size, .at = KP_AT(request, member, uint64_t)
#define KP_DURATION(request, member) .set = kp_set_duration, .at = KP_AT(request, member, uint64_t)
#define KP_TIME(request, member) .set = kp_set_time, .at = KP_AT(request, member, uint64_t)
#define KP_MOMENT(request, member) .set = kp_set_moment, .at = KP_AT(request, member, const char *)
/* By a function of the command's own, which gets the whole request. */
#define KP_OWN(function) .set = (function), .at = 0

int kp_set_flag(const char *value, void *target, struct kp_err *err);
int kp_set_text(const char *value, void *target, struct kp_err *err); /* kept as it is given */
int kp_set_u32(const char *value, void *target, struct kp_err *err);
int kp_set_u64(const char *value, void *target, struct kp_err *err);
int kp_set_size(const char *value, void *target, struct kp_err *err);     /* bytes */
int kp_set_duration(const char *value, void *target, struct kp_err *err); /* nanoseconds */
int kp_set_time(const char *value, void *target, struct kp_err *err);     /* CLOCK_REALTIME */

struct kp_command {
	const char *name;
	const char *summary;               /* one line */
	const char *usage;                 /* lines after "usage: kprobe ", each ended by \n */
	const char *limits;                /* what does not work yet, in sentences; NULL: nothing */
	const struct kp_option *options;   /* ended by long_name NULL; --color and --help follow */
	bool stop_at_operand;              /* the first operand, a command, ends the options */
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns kp_exit */
};

/* All subcommands, ended by name NULL. */
extern const struct kp_command *const kp_commands[];

/*
 * Parses argv[1…] by command->options into request; then each option that was absent from its
 * environment variable, or from the line "COMMAND.OPTION = VALUE" of /etc/kprobe/config
 * (KPROBE_CONFIG names another file; a flag's value is yes or no). Variables KPROBE_… and lines
 * that no command knows are wrong usage. --help prints and ends. "--" ends the options. Returns the
 * number of operands, moved to argv[1…] in their order with a NULL behind; when the command must
 * not run, -1 - status with status a kp_exit, the message printed.
 */
int kp_cli_parse(const struct kp_command *command, int argc, char **argv, void *request);

/* Own options first, then the common ones (--color, --help); NULL behind the last. */
const struct kp_option *kp_cli_option(const struct kp_command *command, int index);

/* The command of this name, or NULL. */
const struct kp_command *kp_cli_find(const char *name, size_t len);

/* The rest of the parse, in settings.c: the options not in `seen`. */
int kp_cli_settings(const struct kp_command *command, bool *seen, void *request,
		    struct kp_err *err);

/* Checks a value and hands it to the option's setter. */
int kp_cli_apply(const struct kp_option *option, const char *value, void *request,
		 struct kp_err *err);

/* The name nearest to a word that is none of them, for what is said then. */
struct kp_nearest {
	const char *word;
	size_t len;
	const char *best; /* NULL: none is near enough */
	size_t distance;
};

void kp_nearest_init(struct kp_nearest *nearest, const char *word, size_t len);
void kp_nearest_try(struct kp_nearest *nearest, const char *name);

/* Whether to colour what goes to out (NULL: a file): --color, NO_COLOR, whether it is a terminal.
 */
bool kp_cli_color(FILE *out);

/*
 * What is printed goes through these, with base/text.h's escapes. To stderr: a line that begins
 * with "kprobe: ", a line without, lines as they are in a buffer, an error.
 */
void kp_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kp_cli_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kp_cli_lines(const struct kp_buf *text);
/* A line that the next one overwrites; for a terminal only. */
void kp_cli_progress(const char *text);
void kp_cli_error(const struct kp_err *err);
/* An error in how the command was asked, with where to look; returns KP_EXIT_USAGE. */
int kp_cli_usage(const struct kp_command *command, const struct kp_err *err);

/*
 * Lines to a file that is made or emptied for them; NULL or "-": stdout. 0 or a negative errno with
 * err set; -EPIPE when the reader of stdout has seen enough and SIGPIPE is ignored.
 */
int kp_cli_write(const char *path, const struct kp_buf *text, struct kp_err *err);

/* Writes to stdout, frees text, and gives the exit status. */
int kp_cli_finish(struct kp_buf *text);

void kp_cli_help(const struct kp_command *command, struct kp_buf *out);

/* Exit status for a negative errno of the lower layers. */
int kp_cli_status(int code);

/*
 * A moment of a log: RFC 3339, seconds since the epoch, or +SECONDS from the log's start. The
 * setter keeps the text and checks its form; the others turn it into CLOCK_MONOTONIC, or
 * CLOCK_REALTIME, by the log. What is to be said of a moment at which the clock was set is said.
 */
int kp_set_moment(const char *value, void *target, struct kp_err *err);
int kp_cli_moment(const char *text, const struct kp_log_info *info, const struct kp_clock *clock,
		  uint64_t *ret_ns, struct kp_err *err);
int kp_cli_moment_wall(const char *text, const char *log, uint64_t *ret_realtime_ns,
		       struct kp_err *err);

/* Parsers of values; 0 or -EINVAL with err. */
int kp_parse_size(const char *text, uint64_t *ret_bytes, struct kp_err *err);  /* 64M, 1G, 4096 */
int kp_parse_duration(const char *text, uint64_t *ret_ns, struct kp_err *err); /* 5s, 100ms, 2h */
int kp_parse_u64(const char *text, uint64_t *ret_value, struct kp_err *err);
/* Calls add (0 or -errno) for each number of a list with commas; no number is an error. */
int kp_parse_u32_list(const char *list, int (*add)(uint32_t number, void *arg), void *arg,
		      struct kp_err *err);
int kp_parse_u32(const char *text, uint32_t *ret_value, struct kp_err *err);
/* RFC 3339 or seconds since the epoch with fraction → nanoseconds of CLOCK_REALTIME. */
int kp_parse_time(const char *text, uint64_t *ret_realtime_ns, struct kp_err *err);

#endif
