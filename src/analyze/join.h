/* SPDX-License-Identifier: MIT
 *
 * Which thread of this host did the work of a span? The resource's process.pid names the process
 * (and host.name, if given, must be this host's); within it the thread is the one that had a
 * request's boundary, a system call on a socket that begins or ends within the span, and of several
 * the one that ran longest.
 */
#ifndef KP_ANALYZE_JOIN_H
#define KP_ANALYZE_JOIN_H

#include "analyze/model.h"
#include "analyze/otlp.h"
#include "log/clock.h"

struct kp_joined {
	uint32_t task;  /* or KP_NONE */
	uint64_t t0_ns; /* the span on CLOCK_MONOTONIC */
	uint64_t t1_ns;
	struct kp_clock_moment ends[2]; /* how sure that is */
	bool ran;                       /* see kp_join_window */
	char confidence; /* B: one thread with a boundary; C: the busiest of several; D: in time
			    only */
	const char *why; /* static text: how it was joined, or why it was not */
};

/*
 * A window of process pid by the wall clock: kp_clock_window, but if the clock showed it more than
 * once and a thread of the process ran at both ends of just one of them (which a program that reads
 * the clock does), then that; *ret_ran says so.
 */
bool kp_join_window(const struct kp_model *model, const struct kp_clock *clock, uint32_t pid,
		    uint64_t from_realtime_ns, uint64_t to_realtime_ns,
		    struct kp_clock_moment ret_ends[2], bool *ret_ran);

struct kp_joined kp_join(const struct kp_model *model, const struct kp_clock *clock,
			 const char *host, const struct kp_span *span);

#endif
