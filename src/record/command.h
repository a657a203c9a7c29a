/* SPDX-License-Identifier: MIT
 *
 * Runs the COMMAND of `record -- COMMAND` and holds it where replay needs what probes cannot see:
 * at exec (the image) and before it maps a file (the content). Apart from that it runs free and is
 * traced by nobody. One command at a time: our process becomes the subreaper of what it runs.
 */
#ifndef KP_RECORD_COMMAND_H
#define KP_RECORD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "log/object.h"
#include "record/process.h"
#include "record/sink.h"

struct kp_command_run;

struct kp_command_options {
	char *const *argv; /* NULL-ended; argv[0] is searched in PATH */
	const struct kp_sink *sink;
	const struct kp_process *process; /* what the command gets back; NULL: nothing */
	bool is_masked;                   /* card numbers in the content of mapped files */
	struct kp_objects *objects; /* for the content of mapped files; taken over, on errors too */
	/* Called in the tracing thread. */
	void (*on_warning)(void *arg, const char *text);
	/*
	 * Called in the tracing thread when the command and all its recorded descendants have
	 * ended, and the files that they mapped are copied; status is the command's wait status.
	 */
	void (*on_end)(void *arg, int status);
	void *arg;
};

/*
 * Makes the process of the command, which waits before its exec: the caller selects its pid for
 * payloads, then calls kp_command_go. A thread of its own serves it (ptrace belongs to a thread).
 * Errors: -ENOENT when argv[0] is not found, -ENOEXEC when it cannot be executed, other -errno.
 */
int kp_command_start(const struct kp_command_options *options, struct kp_command_run **ret_run,
		     pid_t *ret_pid, struct kp_err *err);
void kp_command_go(struct kp_command_run *run);

/*
 * Holds the command and its descendants, or lets them go on: what they do is not lost while the log
 * is behind. Takes effect a little later. A call that signal(7) lists as interrupted by stop
 * signals (epoll_wait, for one) may end with EINTR by it. Nobody else can trace them meanwhile.
 */
void kp_command_hold(struct kp_command_run *run, bool hold);

/* Passes a signal on to the command, or, once it has ended, to the processes that it left. */
void kp_command_kill(struct kp_command_run *run, int sig);

/* Whether the command has ended; its descendants may still run. */
bool kp_command_has_ended(struct kp_command_run *run);

/* Number of processes that are still recorded, and their names as text: "nginx (12), nginx (13)".
 */
size_t kp_command_left(struct kp_command_run *run, char *ret_names, size_t cap);

/*
 * Kills what is still recorded: the filter that holds mmap stays with it. on_end follows when the
 * copies of mapped files are made; or never, if one lies on a file system that does not answer.
 */
void kp_command_end(struct kp_command_run *run);

/* Bytes of mapped files read so far, to see whether that goes on. */
uint64_t kp_command_copied(struct kp_command_run *run);

/* Bytes that their contents have added to the log. */
uint64_t kp_command_written(struct kp_command_run *run);

/* Why the content of a file could not be written, and 0 if all could. */
int kp_command_error(struct kp_command_run *run, struct kp_err *ret_err);

/* Ends it, waits for its threads, and frees. NULL is fine. */
void kp_command_free(struct kp_command_run *run);

#endif
