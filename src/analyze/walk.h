/* SPDX-License-Identifier: MIT
 *
 * The walk: why did `task` take from t0 to t1? Every nanosecond becomes part of exactly one piece;
 * a wait is followed into whoever ended it, over the same stretch of time, and so on. The pieces
 * are in the order of time and touch each other: their lengths add up to t1 - t0, which is
 * asserted.
 */
#ifndef KP_ANALYZE_WALK_H
#define KP_ANALYZE_WALK_H

#include "analyze/model.h"

/* What time can be spent on: `kind` of a bucket. Append only. */
#define KP_BUCKETS(X) \
	X(on_cpu)     \
	X(run_queue)  \
	X(throttled)  \
	X(irq)        \
	X(disk)       \
	X(lock)       \
	X(network)    \
	X(retransmit) \
	X(timer)      \
	X(stopped)    \
	X(reclaim)    \
	X(fault)      \
	X(gc)         \
	X(work)       \
	X(blocked)    \
	X(unknown)

enum kp_bucket_kind {
#define X(name) KP_B_##name,
	KP_BUCKETS(X)
#undef X
		KP_B_CNT
};

/* What sets two buckets of one kind apart: name and the words for a reader. Append only. */
#define KP_DETAILS(X)                                                                              \
	X(none, "")                                                                                \
	X(late, "expired late")                                                                    \
	X(queued, "queued before the device")                                                      \
	X(shared, "the device served another request")                                             \
	X(dirty, "held back until dirty pages are written")                                        \
	X(latency, "CPU idle, not yet switched")                                                   \
	X(lost, "events are missing there")                                                        \
	X(cut, "the chain is too long to follow")                                                  \
	X(outside, "outside the log")                                                              \
	X(unended, "what ended the wait is not in the log")                                        \
	X(state, "the task's state is not in the log")                                             \
	X(flush, "the device flushed its cache")                                                   \
	X(here, "sent on this host, by whom is not in the log")                                    \
	X(timeout, "nothing came from the other end before its timeout")                           \
	X(stop, "a stop cut the wait short, and what it waited for did not come")                  \
	X(timerfd, "its own timeout, or a timerfd of which the log does not tell when it was set") \
	X(inside, "it did nothing for this request that the log shows")                            \
	X(rto, "sent again after a timeout, RTO")                                                  \
	X(tlp, "sent again by a tail loss probe")                                                  \
	X(fast, "fast retransmit")                                                                 \
	X(loss, "sent again behind a timeout")                                                     \
	X(frozen, "its control group was frozen")

enum kp_detail {
#define X(name, text) KP_D_##name,
	KP_DETAILS(X)
#undef X
		KP_D_CNT
};

struct kp_rule;

/* A wait that was followed: `waker` explains [t0, t1) of `task`. */
struct kp_wait {
	uint64_t t0_ns;
	uint64_t t1_ns;
	uint64_t wake_ns;      /* when it was ended */
	uint64_t prev_wake_ns; /* the last wake before that which did not end it; 0: none */
	const struct kp_rule *rule;
	const struct kp_call *call;      /* in which the task waited, or NULL */
	const struct kp_call *wake_call; /* by which the waker ended it, or NULL */
	uint32_t task;
	uint32_t waker;
	uint32_t parent; /* the wait that this one explains, or KP_NONE */
	char confidence; /* of the whole chain up to here: A is sure, D is a guess */
};

#define KP_NO_OBJ UINT64_MAX
/* disk, fault: a device whose request is not known, by its number behind this bit. */
#define KP_OBJ_DEV (1ull << 63)

struct kp_piece {
	uint64_t t0_ns;
	uint64_t t1_ns;
	uint64_t obj;   /* run_queue: CPU; irq: what; disk, fault: request or KP_OBJ_DEV; network,
			   retransmit:   socket; stopped: signal; lock: futex address; or KP_NO_OBJ */
	uint32_t task;  /* whose state this is */
	uint32_t cause; /* task that spent the time, or KP_NONE */
	uint32_t wait;  /* the innermost wait that led here, or KP_NONE */
	uint8_t kind;
	uint8_t detail;
	char confidence;
};

#define KP_WALK_DEPTH_MAX 48

struct kp_walk {
	const struct kp_model *model;
	KP_VEC(struct kp_piece) pieces;
	KP_VEC(struct kp_wait) waits;
	uint64_t work; /* steps taken */
	uint32_t depth;
	uint32_t path_depth; /* of paths within paths, see path.h */
	uint32_t serving;    /* process whose work on a request is being explained; 0: none */
	uint32_t stack[KP_WALK_DEPTH_MAX]; /* tasks being walked, outermost first */
	bool failed;                       /* out of memory */
	bool full;                         /* what is left is cut: it took more than it may */
};

/*
 * Walks and fills *ret_walk, to be ended with kp_walk_done in any case. t0_ns <= t1_ns; task may be
 * KP_NONE (all unknown). 0 or -ENOMEM.
 */
int kp_walk_run(const struct kp_model *model, uint32_t task, uint64_t t0_ns, uint64_t t1_ns,
		struct kp_walk *ret_walk);
void kp_walk_done(struct kp_walk *walk);

const char *kp_bucket_name(unsigned kind);
const char *kp_detail_name(unsigned detail); /* "" for none */
const char *kp_detail_text(unsigned detail);

/* --- for the rules --- */

/* Appends a piece, if it is not empty; its confidence is lowered to that of its wait. */
void kp_walk_emit(struct kp_walk *walk, struct kp_piece piece);

/* Appends a wait and returns its index, or KP_NONE when out of memory. */
uint32_t kp_walk_wait(struct kp_walk *walk, struct kp_wait wait);

/* Explains [lo, hi) by what task did in that time. */
void kp_walk_task(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint32_t wait);

/* The same by a kernel thread that works for others and was at it at at_ns: nothing that it did
 * before it was last woken without work is a cause of that. */
void kp_walk_worker(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint64_t at_ns,
		    uint32_t wait);

#endif
