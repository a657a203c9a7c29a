/* SPDX-License-Identifier: MIT
 *
 * A child of vfork (or of clone with its flags, as posix_spawn makes it) runs in its parent's
 * memory while the parent waits, and what it leaves there the parent sees: the error of an exec
 * that failed. So its calls, recorded under its own pid, are replayed in the one process that there
 * is, between the parent's call and its return. When its stream is not in the log, it is left out,
 * and no difference behind it is proven.
 */
#include <string.h>
#include <sys/ptrace.h>

#include "replay/engine.h"

/* Offset in struct clone_args (linux/sched.h). */
#define CLONE_ARGS_STACK 40

static struct kp_session *find_child(const struct kp_session *session,
				     const struct kp_ev_syscall *maker)
{
	for (uint32_t i = 0; i < session->children.cnt; i++) {
		struct kp_session *child = session->children.at[i];

		if (child->maker == maker && child->seen && !child->refusal[0])
			return child;
	}
	return NULL;
}

/* The stack that the call gave the child; 0: it shares its parent's. */
static uint64_t child_stack(struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	uint64_t stack[2] = {0, 0}; /* address, length */

	if (call->nr == KP_NR_clone)
		return call->arg1;
	if (call->nr == KP_NR_clone3)
		kp_tracee_read(&engine->tracee, call->arg0 + CLONE_ARGS_STACK, stack, sizeof stack);
	return stack[0] + stack[1];
}

/* One step of the child. KP_END with the verdict unchanged: it came to its end. */
static int advance_child(struct kp_engine *child)
{
	const struct kp_session *session = child->session;
	const struct kp_step *step =
		child->at < session->steps.cnt ? &session->steps.at[child->at] : NULL;
	uint64_t nr;
	struct kp_stop stop;
	int rc;

	if (step && step->deliver)
		return kp_engine_signal(child, step);
	rc = kp_engine_run(child, PTRACE_SYSEMU, 0, &stop);
	if (rc)
		return rc;
	if (stop.kind != KP_STOP_SYSCALL)
		return kp_engine_unexpected(child, &stop);
	nr = child->tracee.regs.orig_rax;
	if (step && !kp_step_is_exec(step))
		return kp_engine_serve(child);
	if (step ? nr == step->call->nr : nr == KP_NR_exit || nr == KP_NR_exit_group)
		return KP_END;
	return kp_engine_diverge(child, step, "a child of the process makes another call: %s",
				 kp_syscall_name(nr));
}

int kp_engine_run_child(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_session *session = find_child(engine->session, step->call);
	struct kp_replay_options options = *engine->options;
	struct user_regs_struct parent = engine->tracee.regs;
	struct kp_engine child = *engine;
	uint64_t stack = child_stack(engine, step->call);
	int rc = 0;

	if (!session) {
		engine->unseen_child = step->call;
		return 0;
	}
	options.output = NULL; /* not the process's own */
	child.session = session;
	child.options = &options;
	child.at = 0;
	child.in_child = true;
	child.tracee.regs.rax = 0;
	if (stack)
		child.tracee.regs.rsp = stack;
	child.tracee.dirty = true;
	while (rc == 0)
		rc = advance_child(&child);
	engine->tracee = child.tracee;
	engine->brk = child.brk;
	engine->hits = child.hits;
	engine->search_ns = child.search_ns;
	engine->guess = child.guess;
	engine->torn = child.torn; /* in memory that is the process's too */
	engine->own_memory = child.own_memory;
	engine->unseen_child = child.unseen_child;
	engine->writable = child.writable;
	engine->writable.as_of = 0; /* the child has no image, which says where the stack is */
	if (rc != KP_END || engine->result->verdict != KP_VERDICT_NONE || !child.tracee.alive)
		return rc;
	engine->result->seq = step->call->seq;
	engine->tracee.regs = parent;
	engine->tracee.dirty = true;
	return 0;
}
