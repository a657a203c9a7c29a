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
	char confidence; /* B: one thread with a boundary; C: the busiest of several; D: in time
			    only */
	const char *why; /* static text: how it was joined, or why it was not */
};

struct kp_joined kp_join(const struct kp_model *model, const struct kp_clock *clock,
			 const char *host, const struct kp_span *span);

#endif
