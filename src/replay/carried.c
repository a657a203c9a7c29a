/* SPDX-License-Identifier: MIT
 * What another build's calls stand on; see carried.h.
 */
#include "replay/carried.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/opened.h"
#include "replay/reaction.h"

#define STANDARD_CNT 3u

struct kp_carried {
	struct kp_engine *engine;
	struct kp_opened *opened;
	struct kp_reactions then;
	uint64_t told;    /* signals of which it has been told that they would end the build */
	bool told_high;   /* that a descriptor is not followed */
	bool signals_set; /* since that was looked at, by one of both */
	uint32_t at;      /* steps before are in both */
};

/* Adds to what is not covered, each call of a number once. */
static void tell(struct kp_carried *carried, const struct kp_step *step, const char *what)
{
	struct kp_engine *engine = carried->engine;
	uint8_t *told = &engine->told_left_out[step->call->nr % KP_SYSCALL_MAX];

	if (!*told && engine->told_cnt++ < KP_TOLD_MAX)
		kp_engine_uncovered(engine, "%s (call %u), which %s",
				    kp_syscall_name(step->call->nr), step->call->seq, what);
	*told = 1;
}

/* Whether stores through a mapping may reach the file. */
static bool maps_for_writing(const struct kp_carried *carried, const struct kp_ev_syscall *call,
			     const uint64_t args[6])
{
	const struct kp_opened_file *file = kp_opened_file(carried->opened, args[4]);

	return call->nr == KP_NR_mmap && kp_call_succeeded(call) && !(args[3] & MAP_ANONYMOUS) &&
	       args[3] & MAP_SHARED && !(file && file->reads_only);
}

static bool mapped_for_writing(const struct kp_carried *carried, const struct kp_ev_syscall *call)
{
	uint64_t args[6];

	kp_call_args(call, args);
	return maps_for_writing(carried, call, args);
}

/* Something of the process itself that was set. */
static bool tunes(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	uint64_t args[6];

	kp_call_args(call, args);
	return row && row->traits & KP_TRAIT_TUNES && kp_call_succeeded(call) &&
	       row->result != KP_RESULT_FD &&
	       (!(row->traits & KP_TRAIT_ASKS) || kp_syscall_sets(row, args));
}

/* Follows how the recorded build meets signals. */
static void follow_signals(struct kp_carried *carried, const struct kp_step *step)
{
	kp_reactions_apply(&carried->then, carried->engine->session, step);
	carried->signals_set |= step->call && (step->call->nr == KP_NR_rt_sigaction ||
					       step->call->nr == KP_NR_rt_sigprocmask);
}

void kp_carried_set_signals(struct kp_carried *carried)
{
	carried->signals_set = true;
}

/* One that was ignored left nothing in the log: it may have come. */
static void check_deadly(struct kp_carried *carried, const struct kp_step *step)
{
	struct kp_reactions own;
	uint64_t deadly;

	if (!carried->signals_set || kp_reactions_read(&carried->engine->tracee, &own) < 0)
		return;
	carried->signals_set = false;
	own.depth = carried->then.depth;
	deadly = kp_reactions_deadly(&own, &carried->then);
	if (deadly & ~carried->told)
		kp_engine_uncovered(
			carried->engine,
			"%s, which at %s (call %u) would end the process, but not the "
			"recorded one",
			kp_reaction_signal_name(__builtin_ctzll(deadly & ~carried->told) + 1),
			kp_syscall_name(step->call->nr), step->call->seq);
	carried->told |= deadly;
}

/* A step to which no call of the build has come. */
static int pass(struct kp_carried *carried, const struct kp_step *step)
{
	struct kp_engine *engine = carried->engine;
	uint32_t closed;
	int rc;

	follow_signals(carried, step);
	if (step->deliver) {
		if (step->deliver->handler == 1 &&
		    kp_carried_reaction(carried, step->deliver->sig) == KP_REACTION_DIES)
			kp_engine_uncovered(
				engine, "%s behind call %u, which was ignored and would end it",
				kp_reaction_signal_name(step->deliver->sig), step->deliver->seq);
		return 0;
	}
	rc = kp_opened_left_out(carried->opened, engine->session, step, &closed);
	if (rc < 0)
		return kp_err_set(engine->err, rc, "out of memory");
	if (closed != KP_OPENED_ALL)
		tell(carried, step, "is left out: what it closed stays open");
	if (mapped_for_writing(carried, step->call))
		tell(carried, step, "is left out: what was stored through it");
	if (tunes(step->call))
		tell(carried, step, "is left out and concerns the process alone");
	return 0;
}

static int differ(struct kp_carried *carried, const struct kp_step *cause,
		  const struct kp_step *step, const char *what)
{
	return kp_engine_diverge(
		carried->engine, cause, "the process leaves out %s, by which %s %s",
		kp_syscall_name(cause->call->nr), kp_syscall_name(step->call->nr), what);
}

/* Whether a call works from the place at which its file is. */
static bool goes_by_place(struct kp_carried *carried, const struct kp_step *step, int arg)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	const struct kp_opened_file *file;
	uint64_t args[6];

	kp_call_args(call, args);
	switch (call->nr) {
	case KP_NR_lseek:
		return (int)call->arg2 == SEEK_CUR;
	case KP_NR_fcntl: /* a lock may begin there */
		return step->payload_cnt;
	case KP_NR_getdents:
	case KP_NR_getdents64:
		return true;
	}
	if (kp_opened_names_place(call))
		return false;
	if (row->traits & KP_TRAIT_RECEIVES && arg == 0)
		return true;
	file = kp_opened_file(carried->opened, args[arg]);
	return (row->traits & (KP_TRAIT_SENDS | KP_TRAIT_KERNEL_COPIES)) && file &&
	       (!arg || row->traits & KP_TRAIT_KERNEL_COPIES) && step->state && !file->appends;
}

/* The argument is a number that is to be given away, or taken away. */
static bool is_target(const struct kp_ev_syscall *call, int arg)
{
	return kp_syscall_has(call->nr, KP_TRAIT_FD_GONE) ||
	       (kp_syscall_has(call->nr, KP_TRAIT_DUPS) && arg > 0);
}

/* Of one that is not followed it is not known where it leads. */
static void tell_high(struct kp_carried *carried, const struct kp_step *step, uint64_t fd)
{
	if ((int)fd < KP_FDS_MAX || carried->told_high)
		return;
	carried->told_high = true;
	kp_engine_uncovered(carried->engine,
			    "where descriptor %d of %s (call %u) leads, and others "
			    "from %d on",
			    (int)fd, kp_syscall_name(step->call->nr), step->call->seq, KP_FDS_MAX);
}

static int check_descriptors(struct kp_carried *carried, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	const struct kp_step *cause;
	uint64_t args[6];

	kp_call_args(call, args);
	for (int i = 0; row && i < KP_ARG_MAX; i++) {
		if (row->rule.args[i].type != KP_ARG_FD || is_target(call, i))
			continue;
		tell_high(carried, step, args[i]);
		cause = kp_opened_differs(carried->opened, args[i]);
		if (cause)
			return differ(carried, cause, step, "goes elsewhere");
		cause = kp_opened_moved(carried->opened, args[i]);
		if (cause && goes_by_place(carried, step, i))
			return differ(carried, cause, step, "comes to another place of its file");
	}
	cause = row ? kp_opened_other_number(carried->opened, step) : NULL;
	return cause ? differ(carried, cause, step, "would give another descriptor") : 0;
}

/* A signal that comes by the call itself. */
static int check_signal(struct kp_carried *carried, const struct kp_step *step)
{
	struct kp_engine *engine = carried->engine;
	const struct kp_session *session = engine->session;
	int sig =
		kp_reaction_signal(step->call, session->own_pid ? session->own_pid : session->pid);
	enum kp_reaction then, own;

	if (!sig)
		return 0;
	then = kp_reaction_to(&carried->then, sig);
	own = kp_carried_reaction(carried, sig);
	if (then == own)
		return 0;
	if (then == KP_REACTION_DIES || own == KP_REACTION_DIES)
		return kp_engine_diverge(engine, step, "%s: %s %s; recorded was that it %s",
					 kp_syscall_name(step->call->nr),
					 kp_reaction_signal_name(sig), kp_reaction_name(own),
					 kp_reaction_name(then));
	kp_engine_uncovered(engine, "%s of %s (call %u), which %s; recorded was that it %s",
			    kp_reaction_signal_name(sig), kp_syscall_name(step->call->nr),
			    step->call->seq, kp_reaction_name(own), kp_reaction_name(then));
	return 0;
}

/* A new process or program has the signals that are ignored or blocked. */
static void check_inherited_signals(struct kp_carried *carried, const struct kp_step *step)
{
	struct kp_reactions own;
	uint64_t differs;

	if (kp_reactions_read(&carried->engine->tracee, &own) < 0)
		return;
	differs = own.ignored ^ carried->then.ignored;
	if (!carried->then.depth)
		differs |= own.blocked ^ carried->then.blocked;
	if (!kp_step_is_exec(step))
		differs |= own.handled ^ carried->then.handled;
	if (differs)
		kp_engine_uncovered(carried->engine,
				    "%s, which is met otherwise behind %s (call %u)",
				    kp_reaction_signal_name(__builtin_ctzll(differs) + 1),
				    kp_syscall_name(step->call->nr), step->call->seq);
}

/* … and the descriptors. */
static int check_inherited(struct kp_carried *carried, const struct kp_step *step)
{
	const struct kp_opened *opened = carried->opened;
	bool exec = kp_step_is_exec(step);

	check_inherited_signals(carried, step);
	for (uint32_t fd = 0; fd < KP_FDS_MAX; fd++) {
		struct kp_fd then = opened->then.at[fd], own = opened->own.at[fd];

		if (exec && then.cloexec)
			then.file = 0;
		if (exec && own.cloexec)
			own.file = 0;
		if (then.file != own.file && fd < STANDARD_CNT && opened->left_out[fd])
			return differ(carried, opened->left_out[fd], step,
				      "gives another standard input or output");
		if (then.file == own.file && (!then.file || then.cloexec == own.cloexec) &&
		    !kp_opened_moved(opened, fd))
			continue;
		kp_engine_uncovered(carried->engine,
				    "descriptor %u, which %s (call %u) hands on otherwise", fd,
				    kp_syscall_name(step->call->nr), step->call->seq);
		break;
	}
	return 0;
}

static bool hands_on(const struct kp_step *step)
{
	if (kp_step_is_exec(step))
		return true;
	return kp_syscall_has(step->call->nr, KP_TRAIT_FORKS) && kp_call_succeeded(step->call) &&
	       !(step->call->nr == KP_NR_clone && step->call->arg0 & CLONE_FILES);
}

int kp_carried_check(struct kp_carried *carried, uint32_t index, const uint64_t own[6])
{
	const struct kp_session *session = carried->engine->session;
	const struct kp_step *step = &session->steps.at[index];
	int rc = 0;

	for (; rc == 0 && carried->at < index; carried->at++)
		rc = pass(carried, &session->steps.at[carried->at]);
	check_deadly(carried, step);
	if (maps_for_writing(carried, step->call, own) && !mapped_for_writing(carried, step->call))
		tell(carried, step, "maps a file shared, which it did not");
	if (rc == 0)
		rc = check_descriptors(carried, step);
	if (rc == 0)
		rc = check_signal(carried, step);
	return rc == 0 && hands_on(step) ? check_inherited(carried, step) : rc;
}

int kp_carried_apply(struct kp_carried *carried, uint32_t index, const uint64_t own[6])
{
	struct kp_engine *engine = carried->engine;
	const struct kp_step *step = &engine->session->steps.at[index];

	carried->at = index + 1;
	follow_signals(carried, step);
	return kp_opened_made(carried->opened, engine->session, step, own) < 0
		       ? kp_err_set(engine->err, -ENOMEM, "out of memory")
		       : 0;
}

void kp_carried_end(struct kp_carried *carried)
{
	const struct kp_session *session = carried->engine->session;

	for (; carried->at < session->steps.cnt; carried->at++) {
		const struct kp_step *step = &session->steps.at[carried->at];

		if (step->call && mapped_for_writing(carried, step->call))
			tell(carried, step, "is left out: what was stored through it");
	}
}

enum kp_reaction kp_carried_reaction(struct kp_carried *carried, int sig)
{
	struct kp_reactions own = {0};

	kp_reactions_read(&carried->engine->tracee, &own);
	own.depth = carried->then.depth;
	return kp_reaction_to(&own, sig);
}

/* The loader's calls, which both have made. */
static int take_loader(struct kp_carried *carried)
{
	const struct kp_session *session = carried->engine->session;
	uint64_t args[6];
	int rc = 0;

	for (; rc == 0 && carried->at < carried->engine->at; carried->at++) {
		const struct kp_step *step = &session->steps.at[carried->at];

		if (!step->call)
			continue;
		kp_call_args(step->call, args);
		rc = kp_opened_made(carried->opened, session, step, args);
	}
	return rc;
}

int kp_carried_new(struct kp_engine *engine, struct kp_carried **ret_carried)
{
	struct kp_carried *carried = calloc(1, sizeof *carried);
	int rc = -ENOMEM;

	if (carried) {
		carried->engine = engine;
		carried->opened = kp_opened_new();
		rc = carried->opened ? kp_reactions_read(&engine->tracee, &carried->then) : rc;
	}
	if (rc == 0)
		rc = take_loader(carried);
	if (rc < 0) {
		kp_carried_free(carried);
		return kp_err_sys(engine->err, rc, "what another build begins with");
	}
	*ret_carried = carried;
	return 0;
}

void kp_carried_free(struct kp_carried *carried)
{
	if (carried)
		kp_opened_free(carried->opened);
	free(carried);
}
