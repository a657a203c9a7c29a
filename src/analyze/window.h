/* SPDX-License-Identifier: MIT
 * Where a window that was given by the wall clock lies on the monotonic one.
 */
#ifndef KP_ANALYZE_WINDOW_H
#define KP_ANALYZE_WINDOW_H

#include "analyze/model.h"
#include "log/clock.h"

/*
 * A window of process pid by the wall clock: kp_clock_window, but if the clock showed it more than
 * once and a thread of the process ran at both ends of just one of them (which a program that reads
 * the clock does), then that; *ret_ran says so.
 */
bool kp_join_window(const struct kp_model *model, const struct kp_clock *clock, uint32_t pid,
		    uint64_t from_realtime_ns, uint64_t to_realtime_ns,
		    struct kp_clock_moment ret_ends[2], bool *ret_ran);

#endif
