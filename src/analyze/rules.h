/* SPDX-License-Identifier: MIT
 *
 * How a wait is explained: a table of rules, the first that matches decides. kprobe-analyze(1)
 * lists them.
 */
#ifndef KP_ANALYZE_RULES_H
#define KP_ANALYZE_RULES_H

#include "analyze/walk.h"

/* A wait, or the part [lo, hi) of it that is asked for. */
struct kp_blocked {
	uint64_t lo;
	uint64_t hi;
	uint64_t begin_ns;
	uint64_t prev_wake_ns;           /* see kp_wait */
	const struct kp_rec *rec;        /* BLOCKED */
	const struct kp_wake *wake;      /* that ended it, or NULL */
	const struct kp_call *call;      /* in which it waits, or NULL */
	const struct kp_call *wake_call; /* of the waker, in task context, or NULL */
	bool is_cut;                     /* by a stop, and the call was not made again: no wake */
	bool is_unsure; /* its call, or what was sent at its end, may be missing in the log */
	uint32_t task;
	uint32_t wait; /* that led here, or KP_NONE */
};

struct kp_rule {
	const char *name; /* `edge` in reports */
	const char *via;  /* entry of a bucket's `via` when the chain goes on, or NULL */
	char confidence;
	bool (*match)(const struct kp_walk *walk, const struct kp_blocked *b);
	void (*explain)(struct kp_walk *walk, const struct kp_rule *rule,
			const struct kp_blocked *b);
	const char *doc;
};

/* Ended by name NULL; the last one matches always. */
extern const struct kp_rule kp_rules[];

/* How the walk is led on where no wait is: to who made a task that did not exist yet, and along a
 * request's path through a process (path.h). Ended by name NULL. */
enum kp_led { KP_LED_BIRTH, KP_LED_MESSAGE, KP_LED_WITHIN };
extern const struct kp_rule kp_led_rules[];

/* Whether a timer woke the task, or what runs for timers. */
bool kp_wake_is_timer(const struct kp_wake *wake);

/* Emits the piece, in which bytes for the socket (KP_NONE: not known which) were under way: nobody
 * computes. A retransmission splits loss from transport. */
void kp_walk_transport(struct kp_walk *walk, struct kp_piece piece, uint32_t sock);

/* Whether the call waits for one thing only, so that a wake after which it waits on was false. */
bool kp_call_waits(const struct kp_call *call);

#endif
