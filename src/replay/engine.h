/* SPDX-License-Identifier: MIT
 * What the parts of the replay engine share. Not for other layers; they see replay.h.
 *
 * Functions return 0 to go on, KP_END when the verdict stands in engine->result, or a negative
 * errno with engine->err set.
 */
#ifndef KP_REPLAY_ENGINE_H
#define KP_REPLAY_ENGINE_H

#include <sched.h>

#include "base/limit.h"
#include "event/syscall.h"
#include "replay/files.h"
#include "replay/locks.h"
#include "replay/replay.h"
#include "replay/sysv.h"
#include "replay/torn.h"
#include "replay/tracee.h"

#define KP_END 1
#define KP_TOLD_MAX 6 /* arguments of another build that are not covered, by name */

struct kp_engine {
	struct kp_session *session;
	const struct kp_replay_options *options;
	struct kp_replay_result *result;
	struct kp_err *err;
	struct kp_tracee tracee;
	struct kp_fds fds;
	struct kp_files *files; /* that the process maps */
	struct kp_sysv *sysv;   /* shared segments that it made */
	struct kp_locks *locks; /* memory that it locked */
	uint32_t at;            /* index of the next step */
	uint64_t brk;           /* end of the heap as the process knows it */
	struct {
		bool reads_run; /* READ_IMPLIES_EXEC */
		uint32_t mdwe;  /* flags of PR_SET_MDWE */
	} rules;                /* rules.h */
	uint64_t hits;          /* of breakpoints so far */
	uint64_t search_ns;     /* time spent on finding where signals came */
	uint64_t told_ns;       /* when that was told */
	/* The last signal whose place was found by registers and stack alone, which may have been
	 * the same before; NULL: none so far. */
	const struct kp_ev_signal_deliver *guess;
	/* Calls behind which the memory may be another, the first of each kind; or NULL. */
	const struct kp_ev_syscall *unseen_child; /* its child had it, and is not in the log */
	const struct kp_ev_syscall *torn;         /* stored more than it told */
	const struct kp_ev_syscall *own_memory;   /* opened it as a file for writing */
	struct kp_writable writable;              /* memory of the process */
	cpu_set_t cpus;                           /* that the replayer may use */
	unsigned cpu;                             /* on which it is, with the process */
	unsigned missing_cpu; /* 1 + that of a recorded one which it may not use; 0: none */
	bool other_cpu;       /* the log comes from another model of CPU */
	bool starting;        /* … whose answers the loader and the C library are being given */
	bool in_child;        /* a child that borrows the memory of the process */
	const int *stubs;     /* one stub per image */
	/* What another build does that its verdict does not cover: how much, and by call which
	 * arguments have been told. */
	uint32_t told_cnt;
	uint8_t told_args[KP_SYSCALL_MAX];
	uint8_t told_left_out[KP_SYSCALL_MAX];
	char withheld[128]; /* variables that another build did not get, "": it got all */
};

/*
 * The descriptors of files and segments that the process maps, with room for `more` behind them.
 * *ret_fds is for free.
 */
int kp_engine_list_fds(const struct kp_engine *engine, size_t more, int **ret_fds, size_t *ret_cnt);

/* --- verdicts (evidence.c) --- */
int kp_engine_diverge(struct kp_engine *engine, const struct kp_step *expected, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));
int kp_engine_refuse(struct kp_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The log has no more of a process that had not ended: ends with the verdict as it stands if the
 * recording ended there, or with a refusal if the log is cut.
 */
int kp_engine_log_ends(struct kp_engine *engine);
/* Adds to what the verdict does not cover. */
void kp_engine_uncovered(struct kp_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Says how far it is, if somebody listens. */
void kp_engine_progress(const struct kp_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends with the verdict as it stands and something to say about it. */
int kp_engine_note(struct kp_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "read(…)" of the call at which the process stands. */
/* A step as strace has it, the texts of its arguments included. */
void kp_engine_print_step(const struct kp_engine *engine, const struct kp_step *step,
			  struct kp_buf *out);
/* Gives the step's line to whoever asked for the calls as they are served. */
void kp_engine_trace(struct kp_engine *engine, const struct kp_step *step);
void kp_engine_print_got(const struct kp_engine *engine, struct kp_buf *out);
void kp_engine_describe(struct kp_engine *engine, const struct kp_step *expected);
/* A stop that should not have come here. */
int kp_engine_unexpected(struct kp_engine *engine, const struct kp_stop *stop);

/* --- calls (serve.c) --- */
/* The process stands at a call; serves it from the next step. */
int kp_engine_serve(struct kp_engine *engine);
/* Checks the process's arguments and bytes, gives it the recorded ones. */
int kp_engine_emulate(struct kp_engine *engine, const struct kp_step *step);
/* Runs the call in the process; a recorded success must be one. */
int kp_engine_execute(struct kp_engine *engine, const struct kp_step *step);
/* Whether replay can serve the call at all; else ends with a refusal. */
int kp_engine_check_replayable(struct kp_engine *engine, const struct kp_step *step);
void kp_call_args(const struct kp_ev_syscall *call, uint64_t ret_args[6]);

/* --- calls that stored more than they told (torn.c) --- */
/* The process stands at a call: notes it if it came to memory that cannot be written. */
int kp_engine_note_torn(struct kp_engine *engine, const struct kp_ev_syscall *call);

/* --- bytes (payload.c) --- */
/* Out payloads into the process's memory, then in payloads compared with it. */
int kp_engine_move_bytes(struct kp_engine *engine, const struct kp_step *step);
/* Compares len of a payload's bytes, those from `from` on, with the process's memory at addr. */
int kp_engine_compare(struct kp_engine *engine, const struct kp_step *step,
		      const struct kp_ev_payload *payload, uint64_t addr, size_t from, size_t len);
/* The row's entry for the argument that leads to the payload, or NULL. */
const struct kp_arg *kp_payload_rule(const struct kp_ev_payload *payload);
/* Whether the log has every byte that the call needs; else ends with a refusal. */
int kp_engine_check_bytes(struct kp_engine *engine, const struct kp_step *step);
/* What the call wrote to standard output or error goes to options->output. */
void kp_engine_emit(struct kp_engine *engine, const struct kp_step *step);

/* --- calls with code of their own (special.c) --- */
int kp_engine_special(struct kp_engine *engine, const struct kp_step *step);

/* The stack grows up to the recorded soft limit; 0: not known. */
void kp_engine_limit_stack(struct kp_engine *engine, uint64_t limit);

/*
 * A vfork just came back with a child's pid: runs the child's recorded calls in the process, whose
 * memory it shares, up to its exec or exit (vfork.c).
 */
int kp_engine_run_child(struct kp_engine *engine, const struct kp_step *step);

/* --- signals (signals.c) --- */
/* The next step is a signal: brings the process there and lets it take it. */
int kp_engine_signal(struct kp_engine *engine, const struct kp_step *step);
/*
 * After a call whose result says that a signal interrupted it (ERESTART…): leaves that to the
 * process's kernel if a signal follows, else restarts the call.
 */
void kp_engine_settle_restart(struct kp_engine *engine, const struct kp_step *step);

/* Takes a signal out of the mask of blocked ones, as a call like sigsuspend does; the mask before.
 */
uint64_t kp_engine_unblock(struct kp_engine *engine, int sig);
/* The process stands at the begin of a handler: the mask that it will have behind it. */
void kp_engine_set_frame_mask(struct kp_engine *engine, uint64_t mask);
/* Makes the signal pending and brings the process to the stop at which it is about to take it. */
int kp_engine_raise(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver,
		    struct kp_stop *ret_stop);

/* CPU time that the process may use until its next stop, from how long it took when recorded. */
uint64_t kp_engine_budget(const struct kp_engine *engine);

/* --- another model of CPU (cpu.c) --- */
bool kp_engine_is_other_cpu(const struct kp_engine *engine);
/* The name of the recorded one. */
void kp_engine_cpu_name(const struct kp_engine *engine, char ret_name[49]);
/* kp_engine_run for a process that starts, with the recorded CPU's answers to CPUID and XGETBV. */
int kp_engine_run_start(struct kp_engine *engine, struct kp_stop *ret_stop);

/* What a replay may take, in the unit of the table; 0: a session made by hand has no limits. */
uint64_t kp_engine_limit(const struct kp_engine *engine, enum kp_limit_id id);

/* kp_tracee_spawn behind the walls that the options ask for; refuses where they are not to be had.
 */
int kp_engine_spawn(struct kp_engine *engine, struct kp_spawn *spawn);

/* Runs the process to its next stop. */
int kp_engine_run(struct kp_engine *engine, int request, int sig, struct kp_stop *ret_stop);

/* Replaces the process's program by that of an image. */
int kp_engine_enter_image(struct kp_engine *engine, uint32_t index);

/* --- another build --- */
/* Like kp_engine_move_bytes, with the process's own addresses in place of recorded ones. */
int kp_engine_move_bytes_to(struct kp_engine *engine, const struct kp_step *step,
			    const uint64_t own[6]);
int kp_engine_run_other(struct kp_engine *engine);
/*
 * The build stands at an exec that the recorded one made too: compares what it runs, with what
 * arguments and environment, and ends (other_exec.c). The program behind it is not the build's.
 */
int kp_engine_other_exec(struct kp_engine *engine, const struct kp_step *step);
/* An exec that succeeded, by what its program found. */
void kp_engine_print_exec(const struct kp_engine *engine, const struct kp_step *step,
			  struct kp_buf *out);

#endif
