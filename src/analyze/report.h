/* SPDX-License-Identifier: MIT
 *
 * The answer to "why was this late", free of the model: what reports print and the database keeps.
 * Strings live in the report's arena. Times named t_…_ns are CLOCK_MONOTONIC, those with realtime
 * CLOCK_REALTIME.
 */
#ifndef KP_ANALYZE_REPORT_H
#define KP_ANALYZE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/asked.h"
#include "analyze/walk.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "log/clock.h"

/* A task, or the object that stands for one, or both. */
struct kp_who {
	uint32_t pid; /* 0: no task */
	uint32_t tid;
	const char *comm;
	const char *key;    /* cpu device remote signal irq futex; "": no object */
	const char *value;  /* of the object, as text */
	const char *exe;    /* path of the task's program; "": not known */
	const char *origin; /* its container or pod; "": in none, or not known */
};

struct kp_bucket {
	uint8_t kind;
	uint8_t detail;
	char confidence; /* the weakest of its pieces */
	const char *via; /* names joined by commas, outermost first */
	uint64_t ns;
	struct kp_who cause;
	struct kp_who
		task; /* whose state it is: the incident's thread, or one that it waited for */
};

enum kp_met { KP_MET_UNKNOWN, KP_MET_NO, KP_MET_YES };

/* What one process spent in one way and role (role.h), whomever it delayed and via whatever; the
 * largest of its buckets names it. */
struct kp_cause {
	uint8_t kind;
	uint8_t detail;
	uint8_t met; /* enum kp_met: the deadline without this cause */
	char confidence;
	const char *via; /* of its largest bucket */
	const char *text;
	uint64_t ns;
	int64_t excess_ns;   /* above what the same cause costs normally */
	double percent;      /* of all that is above normal, 0 to 100 */
	uint64_t end_min_ns; /* when it would have ended without this cause: at best … */
	uint64_t end_max_ns; /* … and at worst */
	struct kp_who cause;
	struct kp_who task;
};

struct kp_step {
	uint64_t t0_ns;
	uint64_t t1_ns;
	uint8_t kind;
	uint8_t detail;
	char confidence;
	const char *edge; /* rule of the innermost wait; "" on the incident's own thread */
	const char *via;
	uint32_t node; /* of the graph */
	struct kp_who task;
	struct kp_who cause;
};

struct kp_report_span {
	const char *trace_id, *span_id, *parent_id, *name, *service;
	uint64_t start_ns; /* CLOCK_REALTIME */
	uint64_t end_ns;
	uint32_t pid, tid;
	char confidence;
	const char *why;
	bool incident; /* the one that the report is about */
};

/* The graph: the window, the waits that were followed, the steps of the path. */
struct kp_node {
	uint64_t t0_ns, t1_ns;
	const char *kind; /* "window", "wait", or the kind of a bucket */
	struct kp_who task;
	struct kp_who cause;
};

struct kp_edge {
	uint32_t cause; /* node */
	uint32_t effect;
	const char *kind;
	char confidence;
	uint64_t ns;
};

/* What an event proves of an edge. */
#define KP_ROLES(X)                                           \
	X(told) /* words of an earlier version, in object */  \
	X(woken)                                              \
	X(waited) /* the call in which the task waited … */ \
	X(waker)  /* … and that by which it was woken */    \
	X(queued) /* a block request … */                   \
	X(issued)                                             \
	X(completed)                                          \
	X(signal)

enum kp_role {
#define X(name) KP_ROLE_##name,
	KP_ROLES(X)
#undef X
		KP_ROLE_CNT
};

/* An event of the log that proves an edge. */
struct kp_proof {
	uint32_t node; /* the edge's cause */
	uint32_t cpu;  /* KP_NONE: not known */
	uint8_t role;
	uint16_t kind;     /* KP_EV_; 0: not known */
	uint64_t begin_ns; /* of a call; 0: none */
	uint64_t t_ns;    /* the event's; of a call that has no record the last moment seen in it */
	const char *name; /* of the call, or what the request was for */
	const char *object;
};

struct kp_report {
	struct kp_arena arena;
	struct kp_incident asked; /* how it is defined */
	const char *id;
	const char *run; /* of the recorder in whose time it lies */
	const char *host;
	const char *boot_id;
	struct kp_who task;
	uint64_t t0_ns, t1_ns;
	uint64_t t0_realtime_ns, t1_realtime_ns;
	uint64_t deadline_realtime_ns; /* 0: none … */
	uint64_t deadline_ns;          /* … and on CLOCK_MONOTONIC */
	uint64_t clock_bound_ns;       /* of both ends, as they were asked for */
	const char *clock_note;        /* what happened to the wall clock there; "": nothing */
	uint64_t baseline_ns;          /* median duration */
	uint32_t baseline_cnt;
	const char *recorded; /* the tiers of its time in their order, joined by commas; "": not
				 known */
	bool complete;
	char join_confidence; /* 0: not from a span */
	const char *note;     /* what the reading of the inputs met, or NULL; not kept */
	KP_VEC(struct kp_loss) lost;
	KP_VEC(struct kp_bucket) buckets; /* largest first */
	KP_VEC(struct kp_cause) causes;   /* by excess */
	KP_VEC(struct kp_step) path;      /* in time */
	KP_VEC(struct kp_report_span) spans;
	KP_VEC(struct kp_node) nodes;
	KP_VEC(struct kp_edge) edges;   /* by cause */
	KP_VEC(struct kp_proof) events; /* by node */
};

void kp_report_done(struct kp_report *report);

/*
 * Fills buckets, causes (without baseline: excess = ns), path, graph, losses and re-timing from a
 * walk over [t0_ns, t1_ns], which are set already, as is the deadline. 0 or -ENOMEM.
 */
int kp_report_build(struct kp_report *report, const struct kp_walk *walk);

/*
 * Ranks the causes again, by what is above the median of the same kind of cause over n normal
 * walks. Fields of a normal walk that count are its causes and duration. 0 or -ENOMEM.
 */
int kp_report_compare(struct kp_report *report, const struct kp_report *normal, uint32_t n);

/* A task at a time, with its name, in the report's arena. */
struct kp_who kp_report_who(struct kp_report *report, const struct kp_model *model, uint32_t task,
			    uint64_t t_ns);

const char *kp_role_name(unsigned role);

/* Appends the report as text, or as JSON: one line per list element, or one line in all. */
void kp_report_text(const struct kp_report *report, bool color, struct kp_buf *out);
void kp_report_json(const struct kp_report *report, bool one_line, struct kp_buf *out);

#endif
