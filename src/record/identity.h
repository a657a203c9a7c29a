/* SPDX-License-Identifier: MIT
 *
 * Who the recorded tasks are, so that the log's names outlive them: their programs with build ids,
 * their control groups and numbers in pid namespaces, the names of pods and containers. All of it
 * at each segment's begin, and what is new as soon as it is there. And the choice of processes for
 * replay by such names. It asks file systems, so it is a thread of its own, which nobody waits for.
 */
#ifndef KP_RECORD_IDENTITY_H
#define KP_RECORD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/probes.h"
#include "record/sink.h"
#include "record/wanted.h"

struct kp_identity;

struct kp_identity_options {
	struct kp_probes *probes;
	const struct kp_sink *sink;     /* for any thread */
	bool tells;                     /* false: it only chooses */
	const char *pod_logs;           /* folder, see pods.h */
	const struct kp_wanted *wanted; /* checked */
	size_t wanted_cnt;
	/* Both from the thread. */
	void (*warn)(const char *text, void *arg);
	void (*notice)(const char *text, void *arg);
	void *arg;
};

int kp_identity_start(const struct kp_identity_options *options, struct kp_identity **ret_identity,
		      struct kp_err *err);

/* Takes an event of a life; never waits for whoever reads files. */
void kp_identity_put(struct kp_identity *identity, const struct kp_hdr *event);

/* Has the thread look at what was put, and at everything if this segment is a new one. */
void kp_identity_turn(struct kp_identity *identity, uint64_t segment);

/* Ends the thread when it has looked at all, and frees. False: it hangs, and may still use what it
 * was given. NULL is fine. */
bool kp_identity_stop(struct kp_identity *identity);

#endif
