/* SPDX-License-Identifier: MIT
 *
 * Says while recording what replay will not be able to serve, rather than hours later: the log gets
 * a replay_lint for each process and reason, the user hears of each reason once.
 */
#ifndef KP_RECORD_LINT_H
#define KP_RECORD_LINT_H

#include "base/err.h"
#include "record/sink.h"

struct kp_lint;

struct kp_lint_options {
	const struct kp_sink *sink;
	void (*warn)(const char *text, void *arg);
	void *arg;
};

int kp_lint_new(const struct kp_lint_options *options, struct kp_lint **ret_lint,
		struct kp_err *err);

/* Looks at an event of a selected task; those of a task come in their order. */
void kp_lint_selected(struct kp_lint *lint, const struct kp_hdr *event);

/* Takes an event of any process's life, in any order: rings are read in turns, so that what came
 * before it may be read after it. */
void kp_lint_life(struct kp_lint *lint, const struct kp_hdr *event);

/* Looks at the lives' events up to a time (CLOCK_MONOTONIC) before which all events were read. */
void kp_lint_turn(struct kp_lint *lint, uint64_t until_ns);

void kp_lint_free(struct kp_lint *lint);

#endif
