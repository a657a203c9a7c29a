/* SPDX-License-Identifier: MIT
 * The objects that the events of a log name, each once.
 */
#ifndef KP_LOG_OBJECT_SET_H
#define KP_LOG_OBJECT_SET_H

#include <stdbool.h>

#include "base/map.h"
#include "base/vec.h"
#include "kprobe/event.h"
#include "log/object.h"

struct kp_object_set {
	KP_VEC(struct kp_object) all;
	struct kp_map index; /* by the begin of their hashes */
};

/* The object that an event names; false: none. */
bool kp_object_of(const struct kp_ev_file_object *event, struct kp_object *ret_object);

/* Adds the object that an event names. 0 or -ENOMEM. */
int kp_object_set_add(struct kp_object_set *set, const struct kp_ev_file_object *event);
void kp_object_set_done(struct kp_object_set *set);

/* Whether an object is whole, and no longer than a recorder writes it; errors as those of
 * kp_object_read. *ret_len: what it takes on the disk. */
int kp_object_check(int objects_fd, const struct kp_object *object, uint64_t *ret_len,
		    const char **ret_why);

#endif
