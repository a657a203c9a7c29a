/* SPDX-License-Identifier: MIT
 * kprobe replay: runs a recorded process again and says whether it did the same.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "log/clock.h"
#include "replay/replay.h"

#define DEFAULT_LOG "/var/lib/kprobe"
/* A --until that is a smaller whole number is an event's, else a time. */
#define UNTIL_SEQ_MAX 1000000000ULL

struct request {
	uint32_t pid;
	const char *exe;
	const char *report;
	uint64_t until_seq;
	const char *until; /* a moment */
	bool trace;
	bool quiet;
	bool unsafe;
	uint64_t memory_max;
	uint64_t cpu_max_ns;
};

static int set_until_point(const char *text, void *target, struct kp_err *err)
{
	struct request *request = target;
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && !errno && number && number < UNTIL_SEQ_MAX) {
		request->until_seq = number;
		return 0;
	}
	return kp_set_moment(text, &request->until, err);
}

static const struct kp_option options[] = {
	{0, "pid", "PID", "the recorded process (default: the command that was recorded last)",
	 .env = "KPROBE_PID", KP_U32(struct request, pid)},
	{0, "exe", "FILE",
	 "run this build instead of the recorded one and name the first difference",
	 KP_TEXT(struct request, exe)},
	{0, "trace", NULL, "print each system call as it is served",
	 KP_FLAG(struct request, trace)},
	{0, "until", "POINT",
	 "stop at an event number, a time of day, or +SECONDS from the log's start",
	 KP_OWN(set_until_point)},
	{'q', "quiet", NULL, "don't re-emit what the process wrote to its terminal",
	 KP_FLAG(struct request, quiet)},
	{0, "report", "FILE", "what was served and what diverged, as JSON",
	 KP_TEXT(struct request, report)},
	{0, "unsafe", NULL, "go on where this machine refuses walls of the sandbox, and say which",
	 KP_FLAG(struct request, unsafe)},
	{0, "memory", "SIZE",
	 "what the replayed process, and what is unpacked of the log, may take (default: by the "
	 "log's length, see LIMITS)",
	 .least = "1M", .most = "1T", KP_SIZE(struct request, memory_max)},
	{0, "time", "TIME", "CPU time that may be used (default: by the log's length, see LIMITS)",
	 .least = "1s", .most = "1000d", KP_DURATION(struct request, cpu_max_ns)},
	{0},
};

static void write_output(int stream, const void *data, size_t len, void *arg)
{
	int *first_error = arg;

	while (len) {
		ssize_t n = write(stream, data, len);

		if (n < 0 && errno != EINTR) { /* the comparison goes on */
			if (!*first_error && errno != EPIPE)
				*first_error = errno;
			return;
		}
		if (n > 0) {
			data = (const char *)data + n;
			len -= n;
		}
	}
}

static void write_trace(const char *line, void *arg)
{
	(void)arg;
	kp_cli_line("%s", line);
}

static void write_progress(const char *text, void *arg)
{
	(void)arg;
	kp_cli_progress(text);
}

static void put_counts(const struct kp_replay_result *result, struct kp_buf *out)
{
	kp_buf_printf(out,
		      "%" PRIu64 " system calls served, %" PRIu64 " signals delivered, %" PRIu64
		      " bytes compared",
		      result->calls, result->signals, result->bytes_in);
}

/* How it ended, behind a semicolon. */
static void put_end(const struct kp_replay_result *result, struct kp_buf *out)
{
	int status = result->exit_status;

	if (result->reason[0])
		kp_buf_puts(out, result->reason);
	else if (result->stopped)
		kp_buf_printf(out, "stopped behind event %u", result->seq);
	else if (result->truncated)
		kp_buf_puts(out, "the recording ends before the process does");
	else if (status & 0x7f)
		kp_buf_printf(out, "ended by signal %d", status & 0x7f);
	else
		kp_buf_printf(out, "exit status %d", status >> 8 & 0xff);
}

static void print_exact(const struct kp_session *session, const struct kp_replay_result *result)
{
	bool is_masked = result->verdict == KP_VERDICT_MASKED;
	struct kp_buf line = {0};

	kp_buf_printf(&line, "%s: ", kp_verdict_name(result->verdict));
	put_counts(result, &line);
	kp_buf_printf(&line, ", all identical%s; ", is_masked ? " but for what is masked" : "");
	put_end(result, &line);
	if (is_masked)
		kp_buf_printf(&line,
			      "; not exact: %" PRIu64 " bytes that the process had are masked in "
			      "the log (record --mask)",
			      session->masked);
	if (result->uncovered.len) {
		kp_buf_puts(&line, "; not covered: ");
		kp_replay_put_uncovered(result, &line);
	}
	kp_cli_say("%s", line.failed ? "out of memory" : line.data);
	kp_buf_done(&line);
	if (result->stopped && !result->reason[0])
		kp_cli_lines(&result->evidence);
}

static void print_diverged(const struct kp_replay_result *result)
{
	struct kp_buf line = {0};

	kp_cli_say("DIVERGED at event %u: %s", result->seq, result->reason);
	if (result->expected[0])
		kp_cli_line("  expected: %s", result->expected);
	if (result->got[0])
		kp_cli_line("  got:      %s", result->got);
	kp_cli_lines(&result->evidence);
	put_counts(result, &line);
	kp_cli_line("  until then: %s", line.failed ? "" : line.data);
	kp_buf_done(&line);
}

static int print_result(const struct kp_session *session, const struct kp_replay_result *result)
{
	if (result->missing_walls[0])
		kp_cli_say("warning: the sandbox was without %s (--unsafe)", result->missing_walls);
	switch (result->verdict) {
	case KP_VERDICT_EXACT:
	case KP_VERDICT_EQUIVALENT:
		print_exact(session, result);
		return KP_EXIT_OK;
	case KP_VERDICT_MASKED:
		print_exact(session, result);
		return KP_EXIT_CANNOT_JUDGE;
	case KP_VERDICT_DIVERGED:
		print_diverged(result);
		return KP_EXIT_DIVERGED;
	case KP_VERDICT_REFUSED:
		kp_cli_say("REFUSED: %s", result->reason);
		return KP_EXIT_CANNOT_JUDGE;
	case KP_VERDICT_NONE:
		break;
	}
	return KP_EXIT_FAILED;
}

static int write_report(const char *path, const struct kp_session *session,
			const struct kp_replay_result *result, struct kp_err *err)
{
	struct kp_buf json = {0};
	int rc;

	kp_replay_print_json(session, result, &json);
	rc = kp_cli_write(path, &json, err);
	kp_buf_done(&json);
	return rc;
}

static int set_until(const char *log, const struct request *request, struct kp_replay_options *run,
		     struct kp_err *err)
{
	struct kp_clock clock = {0};
	uint64_t realtime_ns = 0;
	int rc;

	if (!request->until)
		return 0;
	rc = kp_cli_moment_wall(request->until, log, &realtime_ns, err);
	if (rc >= 0)
		rc = kp_clock_read(log, &clock, err);
	run->until_ns = kp_clock_to_mono(&clock, realtime_ns);
	if (!run->until_ns) /* before the boot; 0 would mean no end */
		run->until_ns = 1;
	kp_clock_done(&clock);
	return rc;
}

/* Before it runs: what its result can be worth. */
static void say_masked(const struct kp_session *session)
{
	if (session->masked)
		kp_cli_say("note: recorded with --mask: %" PRIu64
			   " bytes of card numbers that this process had are masked; the replay is "
			   "not exact, and a difference behind the first of them proves nothing",
			   session->masked);
	else if (session->is_masked)
		kp_cli_say("note: recorded with --mask; nothing that this process had is masked");
}

static int replay(const struct request *request, const char *log, struct kp_session *session,
		  struct kp_err *err)
{
	struct kp_replay_options run = {.exe = request->exe,
					.unsafe = request->unsafe,
					.until_seq = request->until_seq,
					.memory_max = request->memory_max,
					.cpu_max_ns = request->cpu_max_ns,
					.output = request->quiet ? NULL : write_output,
					.trace = request->trace ? write_trace : NULL,
					.progress = isatty(STDERR_FILENO) ? write_progress : NULL};
	const struct kp_session_options load = {.pid = request->pid,
						.held_max = request->memory_max};
	struct kp_replay_result result = {0};
	int rc, status = KP_EXIT_OK, output_error = 0;

	run.arg = &output_error;
	rc = kp_session_load(log, &load, session, err);
	if (rc < 0)
		return kp_cli_status(rc);
	if (session->note[0])
		kp_cli_say("note: %s", session->note);
	say_masked(session);
	rc = set_until(log, request, &run, err);
	if (rc < 0)
		return kp_cli_status(rc);
	rc = kp_replay_run(session, &run, &result, err);
	if (rc < 0) {
		status = kp_cli_status(rc);
	} else {
		status = print_result(session, &result);
		if (request->report && write_report(request->report, session, &result, err) < 0)
			status = KP_EXIT_FAILED;
		if (output_error && status == KP_EXIT_OK)
			status = KP_EXIT_FAILED;
		if (output_error)
			kp_cli_say("what the process wrote could not be shown again: %s",
				   strerror(output_error));
	}
	kp_replay_result_done(&result);
	return status;
}

static int run_replay(int argc, char **argv)
{
	struct request request = {0};
	struct kp_session session;
	struct kp_err err = {""};
	int operands, status;

	operands = kp_cli_parse(&kp_command_replay, argc, argv, &request);
	if (operands < 0)
		return -1 - operands;
	if (operands > 1) {
		kp_err_set(&err, -EINVAL, "one log at a time; '%s' is one too many", argv[2]);
		return kp_cli_usage(&kp_command_replay, &err);
	}
	if (request.exe && (request.until_seq || request.until)) {
		kp_err_set(&err, -EINVAL,
			   "--until counts the recorded build's events; it cannot be with --exe");
		return kp_cli_usage(&kp_command_replay, &err);
	}
	signal(SIGPIPE, SIG_IGN); /* the process itself begins with its own actions */
	kp_session_init(&session, request.pid);
	status = replay(&request, operands ? argv[1] : DEFAULT_LOG, &session, &err);
	if (err.text[0] && status != KP_EXIT_CANNOT_JUDGE && status != KP_EXIT_DIVERGED)
		kp_cli_error(&err);
	kp_session_done(&session);
	return status;
}

const struct kp_command kp_command_replay = {
	.name = "replay",
	.summary = "run a recorded process again and compare what it does",
	.usage = "replay [options] [LOG]\n",
	.limits =
		"Single-threaded processes recorded from their exec by `record -- COMMAND` "
		"can be replayed, the command itself or, by --pid, a program that it ran. "
		"Refused by name: threads, a fork that never ran a program of its own, "
		"io_uring, kernel AIO, userfaultfd, System V segments of other processes. What "
		"others store in memory that they share with the process is not served; where "
		"the log shows that somebody may have (a forked child, a recorded process that "
		"writes to the mapped file, bytes that only the kernel moved there), a "
		"difference is refused, not called one. A store through a mapping by a process "
		"that the log does not know is a divergence, and so is what depends on what the "
		"CPU itself tells (rdtsc, rdrand). What the process stores through shared "
		"mappings of files is not compared, and the last line says so. An epoll_wait or "
		"recvmmsg that stops at memory that is not there may have stored part of the next "
		"item; what depends on that is a divergence. What is written to the terminal "
		"through a descriptor above 1023, or one that came by SCM_RIGHTS or pidfd_getfd, "
		"is compared and not shown again. There is no --gdb.",
	.options = options,
	.run = run_replay,
};
