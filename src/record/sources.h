/* SPDX-License-Identifier: MIT
 *
 * What speaks or looks beside the rings, in the thread that drains them: one shape, so that the
 * loop need not know who they are. None of them waits.
 */
#ifndef KP_RECORD_SOURCES_H
#define KP_RECORD_SOURCES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct recorder; /* whose sources they are: the owner */

struct kp_source {
	const char *name;
	uint32_t groups;    /* of which one must be recorded; 0: always there */
	uint64_t period_ns; /* between two ticks at least; 0: at each turn */
	/* Each may be NULL. */
	int (*start)(struct recorder *owner, struct kp_err *err);
	void (*tick)(struct recorder *owner);
	void (*stop)(struct recorder *owner); /* its last word, when the rings are empty */
};

#define KP_SOURCE_MAX 32

struct kp_sources {
	const struct kp_source *table;
	size_t cnt;      /* at most KP_SOURCE_MAX */
	uint32_t groups; /* that are recorded */
	struct recorder *owner;
	uint64_t due_ns[KP_SOURCE_MAX];
	size_t started_cnt;
};

/* Starts them in their order; the first tick is a period later. An error ends it. */
int kp_sources_start(struct kp_sources *sources, uint64_t now_ns, struct kp_err *err);

/* Ticks those that are due. */
void kp_sources_turn(struct kp_sources *sources, uint64_t now_ns);

/* Stops those that were started. */
void kp_sources_stop(struct kp_sources *sources);

#endif
