/* SPDX-License-Identifier: MIT
 * Where a window that was given by the wall clock lies on the monotonic one.
 */
#ifndef KP_ANALYZE_WINDOW_H
#define KP_ANALYZE_WINDOW_H

#include "analyze/model.h"
#include "log/clock.h"

/* A clock is read on a CPU; the switch before it may be as close as the readings are apart. */
#define KP_CLOCK_SLACK_NS 2000

/* Whether the task was on a CPU at t_ns, give or take. */
bool kp_task_ran(const struct kp_task *task, uint64_t t_ns, uint64_t bound_ns);

/*
 * A window of process pid by the wall clock: kp_clock_window, but if the clock showed it more than
 * once and a thread of the process ran at both ends of just one of them (which a program that reads
 * the clock does), then that; *ret_ran says so.
 */
bool kp_join_window(const struct kp_model *model, const struct kp_clock *clock, uint32_t pid,
		    uint64_t from_realtime_ns, uint64_t to_realtime_ns,
		    struct kp_clock_moment ret_ends[2], bool *ret_ran);

#endif
