/* SPDX-License-Identifier: MIT
 *
 * Where processes come from, as a stream of events tells it: the program that each runs, its
 * container and its pod. Events are added in the order of their time; memory is bounded whatever
 * they say.
 */
#ifndef KP_EVENT_ORIGIN_H
#define KP_EVENT_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/container.h"
#include "event/kinds.h"
#include "kprobe/event.h"

/* Kinds that tell something of it. */
#define KP_ORIGIN_KINDS                                                            \
	KP_KINDS(KP_EV_task_fork, KP_EV_task_exec, KP_EV_executable, KP_EV_cgroup, \
		 KP_EV_cgroup_attach, KP_EV_task_cgroup, KP_EV_pod, KP_EV_container)

/* Of one process at one time; the texts live as long as the origins. NULL: not known. */
struct kp_origin {
	const char *exe; /* path of its program, as the process sees it */
	const char *build_id;
	const struct kp_container *of; /* its pod's UID and its container's id */
	const char *space, *pod;       /* the pod's namespace and name */
	const char *container;         /* the container's name */
};

struct kp_origins;

/* NULL: out of memory. */
struct kp_origins *kp_origins_new(void);

/* Takes what the event tells; 0 or -ENOMEM. */
int kp_origins_add(struct kp_origins *origins, const struct kp_hdr *event);

/* What is known of a process at a time; a time before all that is known of it has the first that
 * is. */
struct kp_origin kp_origins_get(const struct kp_origins *origins, uint32_t pid, uint64_t t_ns);

/* Appends where it runs, in a few words: NAMESPACE/POD/CONTAINER as far as that is known, else
 * "pod UID" or "container" and the first digits of its id. Nothing for what runs in neither. */
void kp_origin_print(const struct kp_origin *origin, struct kp_buf *out);

void kp_origins_free(struct kp_origins *origins);

#endif
