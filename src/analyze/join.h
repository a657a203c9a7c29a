/* SPDX-License-Identifier: MIT
 *
 * Which thread of this host did the work of a span? The resource's host.name must be this host's
 * and its process.pid names the process, if that is plausible: a container has pids of its own,
 * which name other processes here. Within the process it is the thread that ran at both ends of the
 * span, as who takes the time of them does, and of several the one whose request fits the span: a
 * receive near its begin and a send near its end (for a client's span the other way round), best
 * on one connection; without any of that the one that ran longest.
 */
#ifndef KP_ANALYZE_JOIN_H
#define KP_ANALYZE_JOIN_H

#include "analyze/traces.h"
#include "analyze/window.h"

/* Where spans are looked for. */
struct kp_join_place {
	const char *host; /* the log's node; "": not known */
	uint32_t tid;     /* the thread is known: 0: not */
	uint32_t pid;     /* the process is known, whatever the span says of it; 0: not */
};

struct kp_joined {
	uint32_t task;  /* or KP_NONE */
	bool looked;    /* its process was looked for among the log's */
	uint64_t t0_ns; /* the span on CLOCK_MONOTONIC */
	uint64_t t1_ns;
	struct kp_clock_moment ends[2]; /* how sure that is */
	bool ran;                       /* see window.h */
	/*
	 * B: the thread was named, or is the only one, or the only one that ran at both ends or
	 * whose request fits; C: several fit about as well, or something speaks against the
	 * process; D: an overlap in time only, or a container's pid. What is found through it is
	 * never surer.
	 */
	char confidence;
	char why[320]; /* how it was joined, or why it was not and what to do */
};

struct kp_joined kp_join(const struct kp_model *model, const struct kp_clock *clock,
			 const struct kp_join_place *place, const struct kp_span *span);

/* Whether two names of a host mean the same: no case, and a name without domain fits any. */
bool kp_host_same(const char *a, const char *b);

#endif
