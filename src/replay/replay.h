/* SPDX-License-Identifier: MIT
 *
 * Runs a recorded process again from its log alone and judges whether it did the same.
 */
#ifndef KP_REPLAY_REPLAY_H
#define KP_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "replay/session.h"

enum kp_verdict {
	KP_VERDICT_NONE,       /* not judged: nothing may be concluded from a result that is zero */
	KP_VERDICT_EXACT,      /* every event matched, every byte was equal */
	KP_VERDICT_DIVERGED,   /* evidence says where and how */
	KP_VERDICT_REFUSED,    /* cannot be judged; reason says why */
	KP_VERDICT_EQUIVALENT, /* another build: all outputs equal; reason may add something */
	KP_VERDICT_MASKED,     /* as either of these, but of bytes that are masked in the log */
};

struct kp_replay_options {
	const char *exe;     /* another build to run instead of the recorded one; NULL: that one */
	uint64_t until_seq;  /* stop before the call of this number; 0: none */
	uint64_t until_ns;   /* stop before the first call that ended then or later; 0: none */
	uint64_t memory_max; /* of the process, in bytes; 0: by the log's length */
	uint64_t cpu_max_ns; /* CPU time of process and replayer; 0: by the log's length */
	bool unsafe;         /* go on where the kernel refuses walls of the sandbox */
	/* The process wrote to standard output (1) or error (2); may be NULL. */
	void (*output)(int stream, const void *data, size_t len, void *arg);
	/* A line for each call served; may be NULL. */
	void (*trace)(const char *line, void *arg);
	/* How far it is, about once a second while that takes long; may be NULL. */
	void (*progress)(const char *text, void *arg);
	void *arg;
};

struct kp_replay_result {
	enum kp_verdict verdict;
	char reason[512];        /* one sentence; "" if exact */
	struct kp_buf evidence;  /* lines of text about a divergence, or where --until stopped */
	uint64_t calls;          /* served */
	uint64_t signals;        /* delivered */
	uint64_t bytes_in;       /* compared with what the process gave to the kernel */
	uint64_t bytes_out;      /* given to the process */
	uint64_t bytes_unseen;   /* moved by the kernel itself (sendfile, splice) */
	uint64_t signals_unseen; /* that left no trace in the process: ignored, stop and continue */
	uint64_t refused;        /* calls that seccomp answered */
	struct kp_buf uncovered; /* what the verdict does not cover: clauses, each ended by NUL */
	uint32_t seq;            /* last call served, or the one at which it diverged */
	uint64_t time_ns;        /* CLOCK_MONOTONIC of that call when it was recorded */
	char expected[512];      /* the recorded call, as strace has it; "" if there was none */
	char got[512];           /* what the process did instead */
	int64_t differs_at;      /* offset of the first differing byte in its buffer, or -1 */
	bool stopped;            /* at --until */
	bool truncated;          /* the recording ended before the process did */
	int exit_status;         /* wait status with which it ended, or -1 */
	char missing_walls[96];  /* of the sandbox, in words; "": it had all */
};

/*
 * Replays. 0 with a verdict in *ret_result, or a negative errno when this machine cannot replay at
 * all. The result must be given to kp_replay_result_done also after an error.
 */
int kp_replay_run(struct kp_session *session, const struct kp_replay_options *options,
		  struct kp_replay_result *ret_result, struct kp_err *err);

void kp_replay_result_done(struct kp_replay_result *result);

/* The result as a JSON object with a newline behind it. */
void kp_replay_print_json(const struct kp_session *session, const struct kp_replay_result *result,
			  struct kp_buf *out);

/* What the verdict does not cover, as one text with commas; "" if nothing. */
void kp_replay_put_uncovered(const struct kp_replay_result *result, struct kp_buf *out);

const char *kp_verdict_name(enum kp_verdict verdict);

#endif
