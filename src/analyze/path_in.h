/* SPDX-License-Identifier: MIT
 *
 * What the files of a request's path share: what of a process' work belongs to the request
 * (path_units.c), the way back from its answer (path.c), and an incident within such a process
 * (path_window.c).
 */
#ifndef KP_ANALYZE_PATH_IN_H
#define KP_ANALYZE_PATH_IN_H

#include "analyze/path.h"

/* Records, messages and wakes that are looked at for one question. */
#define KP_PATH_LOOK_MAX 4096

/* A stretch of a thread's work on the request, up to where it blocks. */
struct kp_unit {
	uint64_t t_ns;
	uint32_t task;
	uint32_t msg;  /* received, that began it; or KP_NONE */
	uint32_t from; /* task that handed it over; or KP_NONE */
};

/* A connection on which the request waits for somebody else. */
struct kp_open {
	uint64_t from_ns; /* the end of the request's first message there */
	uint64_t to_ns;   /* from here on it serves another request */
	uint32_t sock;
	bool is_shared; /* more than one request is under way there */
};

enum kp_leg_kind {
	KP_LEG_OWN,     /* what the task did */
	KP_LEG_MESSAGE, /* what `other` did until it sent on `sock` */
	KP_LEG_NETWORK, /* bytes for `sock` were under way, or at another host */
	KP_LEG_TASK,    /* what `other`, of the same process, did until it woke the task */
	KP_LEG_TIMER,   /* until `at_ns`, and how late it was seen */
	KP_LEG_INSIDE,  /* nothing that the log shows was done for the request */
};

struct kp_leg {
	uint64_t t0_ns, t1_ns;
	uint64_t at_ns;
	uint32_t task;
	uint32_t other;
	uint32_t sock;
	enum kp_leg_kind kind;
	char confidence;
};

struct kp_path {
	struct kp_walk *walk;
	const struct kp_model *model;
	uint64_t lo, hi;
	uint64_t begin_ns; /* of the request: its receipt */
	uint32_t task;     /* that answers it */
	uint32_t pid;
	uint32_t sock; /* on which it came and is answered */
	uint32_t wait;
	char best;   /* no step of it is surer */
	bool failed; /* out of memory */
	KP_VEC(struct kp_unit) units;
	KP_VEC(struct kp_open) opens;
	KP_VEC(struct kp_leg) legs; /* the last first */
};

/* Where the walk back stands: `task` is explained from t_ns on. */
struct kp_path_at {
	uint64_t t_ns;
	uint32_t task;
};

static inline bool kp_path_is_own(const struct kp_path *p, uint32_t task)
{
	return p->model->tasks.at[task].pid == p->pid;
}

/* A path of [lo, hi) in the task's process; kp_path_end explains it by its legs and frees them. */
void kp_path_begin(struct kp_path *p, struct kp_walk *walk, uint32_t task, uint64_t lo,
		   uint64_t hi);
void kp_path_end(struct kp_path *p);

/* All of it, by the request on p->sock that is answered at its end. */
void kp_path_explain(struct kp_path *p);

/* --- what belongs to the request (path_units.c) --- */

/* The receipt of what is answered at p->hi on p->sock, and all units and connections that it leads
 * to. False: it is not in the log, or not told apart from others on that connection. */
bool kp_path_find_units(struct kp_path *p);

/* When the unit's task is done with it. */
uint64_t kp_path_unit_end(const struct kp_path *p, const struct kp_unit *unit);

/* The connection on which the request waited when the message came or went; NULL: another's. */
const struct kp_open *kp_path_open_of(const struct kp_path *p, const struct kp_msg *msg);

/* Whether the process is the one that asks on the connection: it began the conversation. */
bool kp_path_asks(const struct kp_path *p, uint32_t sock);

/* How many of its own requests are under way on a connection at a time. */
uint32_t kp_path_asked(const struct kp_path *p, uint32_t sock, uint64_t t_ns);

/* The process' last message of a list before the i-th, outgoing or incoming, and its place; NULL:
 * none. */
const struct kp_msg *kp_path_last_msg(const struct kp_path *p, const kp_msg_list *list, uint32_t i,
				      bool is_out, uint32_t *ret_place);

/* --- the way back (path.c) --- */

/* What a task of the process did. */
void kp_path_add_own(struct kp_path *p, uint32_t task, uint64_t lo, uint64_t hi);

/* Back over a message to q_ns, when the process had done its part for it. */
void kp_path_add_message(struct kp_path *p, struct kp_path_at *at, const struct kp_msg *received,
			 uint64_t q_ns, char confidence);

#endif
