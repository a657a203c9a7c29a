/* SPDX-License-Identifier: MIT
 * From a span to a thread; see join.h.
 */
#include "analyze/join.h"

#include <string.h>

/* SDKs take a span's times inside the request's system calls: the boundary may lie just outside. */
#define SLACK_NS 200000
/* A clock is read on a CPU; the switch before it may be as close as the readings are apart. */
#define CLOCK_SLACK_NS 2000

static bool on_socket(const struct kp_call *call)
{
	return call->obj == KP_OBJ_tcp || call->obj == KP_OBJ_unix || call->obj == KP_OBJ_udp ||
	       call->obj == KP_OBJ_sock;
}

static bool within(uint64_t t, uint64_t lo, uint64_t hi)
{
	return t >= lo && t <= hi;
}

/* Whether a call on a socket begins or ends in [lo, hi]. */
static bool has_boundary(const struct kp_task *task, uint64_t lo, uint64_t hi)
{
	uint32_t a = 0, b = task->calls.cnt, mid;
	const struct kp_call *call;

	while (a < b) { /* first call that ends in the window or later */
		mid = a + (b - a) / 2;
		if (task->calls.at[mid].exit_ns < lo)
			a = mid + 1;
		else
			b = mid;
	}
	for (; a < task->calls.cnt && task->calls.at[a].entry_ns <= hi; a++) {
		call = &task->calls.at[a];
		if (on_socket(call) &&
		    (within(call->entry_ns, lo, hi) || within(call->exit_ns, lo, hi)))
			return true;
	}
	return false;
}

static uint64_t time_running(const struct kp_task *task, uint64_t lo, uint64_t hi)
{
	uint32_t i = kp_task_rec(task, lo);
	uint64_t ns = 0, begin, end;

	if (i == KP_NONE)
		i = 0;
	for (; i < task->recs.cnt && task->recs.at[i].t_ns < hi; i++) {
		if (task->recs.at[i].kind != KP_REC_RUN)
			continue;
		begin = task->recs.at[i].t_ns > lo ? task->recs.at[i].t_ns : lo;
		end = i + 1 < task->recs.cnt && task->recs.at[i + 1].t_ns < hi
			      ? task->recs.at[i + 1].t_ns
			      : hi;
		ns += end > begin ? end - begin : 0;
	}
	return ns;
}

/* The threads of the process: with a boundary before without one, then by time on a CPU. */
static void choose_thread(const struct kp_model *model, uint32_t pid, struct kp_joined *joined)
{
	uint64_t lo = joined->t0_ns > SLACK_NS ? joined->t0_ns - SLACK_NS : 0;
	uint64_t hi = joined->t1_ns + SLACK_NS, ran, best = 0;
	uint32_t with = 0, threads = 0;
	const struct kp_task *task;
	bool boundary, best_boundary = false;

	for (uint32_t i = 1; i < model->tasks.cnt; i++) {
		task = &model->tasks.at[i];
		if (task->pid != pid || task->start_ns > joined->t1_ns ||
		    task->end_ns < joined->t0_ns)
			continue;
		threads++;
		boundary = has_boundary(task, lo, hi);
		with += boundary;
		ran = time_running(task, joined->t0_ns, joined->t1_ns);
		if (joined->task == KP_NONE || boundary > best_boundary ||
		    (boundary == best_boundary && ran > best)) {
			joined->task = i;
			best = ran;
			best_boundary = boundary;
		}
	}
	if (threads == 1 || with == 1) {
		joined->confidence = 'B';
		joined->why = threads == 1 ? "process.pid, its only thread"
					   : "process.pid, the thread with the request's boundary";
	} else if (with > 1) {
		joined->confidence = 'C';
		joined->why = "process.pid, the busiest of several threads with a boundary";
	} else if (threads) {
		joined->confidence = 'D';
		joined->why = "process.pid, the busiest thread in this time";
	}
}

/* Whether the task was on a CPU at t_ns, give or take. */
static bool ran_at(const struct kp_task *task, uint64_t t_ns, uint64_t bound_ns)
{
	uint32_t i = kp_task_rec(task, t_ns > bound_ns ? t_ns - bound_ns : 0);

	for (i = i == KP_NONE ? 0 : i; i < task->recs.cnt; i++) {
		if (task->recs.at[i].t_ns > t_ns + bound_ns)
			return false;
		if (task->recs.at[i].kind == KP_REC_RUN)
			return true;
	}
	return false;
}

static bool process_ran(const struct kp_model *model, uint32_t pid,
			const struct kp_clock_moment ends[2])
{
	bool ran[2] = {false, false};

	for (uint32_t i = 1; i < model->tasks.cnt; i++)
		for (int k = 0; k < 2 && model->tasks.at[i].pid == pid; k++)
			ran[k] |= ran_at(&model->tasks.at[i], ends[k].time_ns, CLOCK_SLACK_NS);
	return ran[0] && ran[1];
}

bool kp_join_window(const struct kp_model *model, const struct kp_clock *clock, uint32_t pid,
		    uint64_t from_realtime_ns, uint64_t to_realtime_ns,
		    struct kp_clock_moment ret_ends[2], bool *ret_ran)
{
	bool forward = kp_clock_window(clock, from_realtime_ns, to_realtime_ns, ret_ends);
	struct kp_clock_moment ends[2], ran[2];
	uint32_t cnt = 0;

	*ret_ran = false;
	if (!forward || (ret_ends[0].fit != KP_CLOCK_TWICE && ret_ends[1].fit != KP_CLOCK_TWICE))
		return forward;
	for (uint32_t k = 0; k < clock->eras.cnt; k++) {
		if (!kp_clock_window_in(clock, k, from_realtime_ns, to_realtime_ns, ends) ||
		    !process_ran(model, pid, ends))
			continue;
		memcpy(ran, ends, sizeof(ran));
		cnt++;
	}
	if (cnt == 1) {
		memcpy(ret_ends, ran, sizeof(ran));
		*ret_ran = true;
	}
	return true;
}

struct kp_joined kp_join(const struct kp_model *model, const struct kp_clock *clock,
			 const char *host, const struct kp_span *span)
{
	struct kp_joined joined = {
		.task = KP_NONE,
		.confidence = 'D',
		.why = "its process is not in the log",
	};

	bool forward = kp_join_window(model, clock, span->pid, span->start_ns, span->end_ns,
				      joined.ends, &joined.ran);

	joined.t0_ns = joined.ends[0].time_ns;
	joined.t1_ns = joined.ends[1].time_ns;
	if (!forward)
		joined.why = "it ends before it begins, and the clock was not set in between";
	else if (!span->pid)
		joined.why = "its resource has no process.pid";
	else if (span->host[0] && host[0] && strcmp(span->host, host) != 0)
		joined.why = "it is of another host (host.name)";
	else if (joined.t1_ns < model->first_ns || joined.t0_ns > model->last_ns)
		joined.why = "it is outside the log's time";
	else
		choose_thread(model, span->pid, &joined);
	return joined;
}
