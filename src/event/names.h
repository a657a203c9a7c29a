/* SPDX-License-Identifier: MIT
 *
 * What a stream of events tells besides each event: the name of a task at its time, what the number
 * of a socket or of a reason means, and the texts (paths, names) to which the arguments of a call
 * pointed, where they were captured. Events are added in the order of their time; memory is bounded
 * whatever they say.
 */
#ifndef KP_EVENT_NAMES_H
#define KP_EVENT_NAMES_H

#include <stdbool.h>

#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"
#include "event/kinds.h"
#include "event/origin.h"
#include "event/syscall.h"

/* Kinds that tell a task's name, a socket, the names of reasons, or where a process comes from:
 * those that a segment begins with, and all. */
#define KP_NAMES_LISTED                                                                         \
	KP_EV_task, KP_EV_socket, KP_EV_executable, KP_EV_cgroup, KP_EV_task_cgroup, KP_EV_pod, \
		KP_EV_container, KP_EV_reason_names
#define KP_NAMES_KINDS                                                                 \
	KP_KINDS(KP_NAMES_LISTED, KP_EV_task_fork, KP_EV_task_exec, KP_EV_task_rename, \
		 KP_EV_cgroup_attach)

struct kp_pending_call;

/* Zero-initialised: nothing is known. */
struct kp_names {
	struct kp_map index; /* tid → index in comms */
	KP_VEC(kp_comm) comms;
	struct kp_map sock_index; /* number → index in socks */
	KP_VEC(struct kp_ev_socket) socks;
	struct kp_origins *origins;           /* NULL: nothing of them is known */
	struct kp_buf reasons[KP_REASON_CNT]; /* the names, each ended by NUL */
	struct kp_map call_index;             /* tid → index in calls */
	KP_VEC(struct kp_pending_call *) calls;
};

/* Takes what the event tells; 0 or -ENOMEM. */
int kp_names_add(struct kp_names *names, const struct kp_hdr *event);

/* The same, but a task that has a name keeps it, and so do a socket its ends and a reason its name.
 */
int kp_names_seed(struct kp_names *names, const struct kp_hdr *event);

/* The task's name, not always ended by NUL within its KP_COMM_LEN bytes; NULL: not known. */
const char *kp_names_get(const struct kp_names *names, uint32_t tid);

/* What the socket that the event names is; NULL: it names none, or that is not known. */
const struct kp_ev_socket *kp_names_sock(const struct kp_names *names, const struct kp_hdr *event);

/* Where the event's process comes from. */
struct kp_origin kp_names_origin(const struct kp_names *names, const struct kp_hdr *event);
/* What the recording kernel calls the event's reason; NULL: it has none, or that is not known.
 * Valid until the next add. */
const char *kp_names_reason(const struct kp_names *names, const struct kp_hdr *event);

/* The texts of this call, whose payloads were added before it; valid until the next add. */
const struct kp_call_texts *kp_names_texts(const struct kp_names *names,
					   const struct kp_ev_syscall *call);

void kp_names_done(struct kp_names *names);

#endif
