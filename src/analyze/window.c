/* SPDX-License-Identifier: MIT
 * A window by the wall clock; see window.h.
 */
#include "analyze/window.h"

#include <string.h>

bool kp_task_ran(const struct kp_task *task, uint64_t t_ns, uint64_t bound_ns)
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
			ran[k] |= kp_task_ran(&model->tasks.at[i], ends[k].time_ns,
					      KP_CLOCK_SLACK_NS);
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
