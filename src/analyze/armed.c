/* SPDX-License-Identifier: MIT
 *
 * Whose timer ended a wait: the timeout of the call itself, or a timerfd that somebody may have set
 * in the middle of it; see armed.h.
 */
#include "analyze/armed.h"

#include "event/syscall.h"

/* How late a timeout may be, beside a part of its length (the kernel's own slack is smaller). */
#define SLACK_NS 1000000
#define SLACK_PART 128
#define FAMILY_MAX 8
#define ARMINGS_MAX 4096

static bool may_be_timerfd(const struct kp_call *call)
{
	if (!call)
		return false;
	if (kp_call_waits_for_many(call))
		return call->flags & KP_CALLF_SEEN || call->ret > 0;
	return call->obj == KP_OBJ_anon && kp_syscall_has(call->nr, KP_TRAIT_WAITS_OBJ);
}

static bool is_own_timeout(const struct kp_blocked *b)
{
	uint64_t due = kp_call_due(b->call);
	uint64_t slack = SLACK_NS + (due - b->call->entry_ns) / SLACK_PART;

	return due && b->wake->obj + slack >= due && b->wake->obj <= due + slack;
}

bool kp_armed_is_unknown(const struct kp_blocked *b)
{
	return may_be_timerfd(b->call) && b->call->flags & KP_CALLF_SEEN && !is_own_timeout(b);
}

static bool is_above(const struct kp_model *m, uint32_t above, uint32_t task)
{
	for (unsigned n = 0; n < FAMILY_MAX && task != KP_NONE; n++) {
		if (m->tasks.at[task].pid == m->tasks.at[above].pid)
			return true;
		task = m->tasks.at[task].parent;
	}
	return false;
}

/* Whether the two can have a descriptor in common: by one process, or by fork. */
static bool may_share(const struct kp_model *m, uint32_t a, uint32_t b)
{
	uint32_t parent = m->tasks.at[a].parent;

	return is_above(m, a, b) || is_above(m, b, a) ||
	       (parent != KP_NONE && is_above(m, parent, b));
}

const struct kp_arming *kp_armed_in(const struct kp_model *m, const struct kp_blocked *b)
{
	const struct kp_arming *a;
	uint32_t i, n;

	if (!may_be_timerfd(b->call) || b->call->flags & KP_CALLF_SEEN)
		return NULL;
	/* One that was under way when the timer fired stands behind it, by its end. */
	i = kp_model_armings_until(m, b->wake->t_ns);
	if (i < m->armings.cnt)
		i++;
	for (n = 0; i > 0 && n < ARMINGS_MAX; n++) {
		a = &m->armings.at[--i];
		if (a->exit_ns <= b->call->entry_ns)
			break;
		if (a->entry_ns <= b->wake->t_ns && a->task != b->task &&
		    (kp_call_waits_for_many(b->call) || a->fd == b->call->arg0) &&
		    may_share(m, a->task, b->task))
			return a;
	}
	return NULL;
}
