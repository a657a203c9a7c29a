/* SPDX-License-Identifier: MIT
 *
 * Which processes are to be recorded for replay besides those chosen by number: by a task's name,
 * by control group, by pod; those that live already and those that come later.
 */
#ifndef KP_RECORD_WANTED_H
#define KP_RECORD_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/vec.h"
#include "record/pods.h"

enum kp_wanted_by {
	KP_WANTED_COMM,   /* a glob (glob(7)) that the name of one of its tasks matches */
	KP_WANTED_CGROUP, /* a group's path within its hierarchy; with all below it */
	KP_WANTED_POD,    /* NAMESPACE/POD */
	KP_WANTED_BY_CNT,
};

struct kp_wanted {
	enum kp_wanted_by by;
	const char *text;
};

/* The option by which it is asked for, without its dashes. */
const char *kp_wanted_option(enum kp_wanted_by by);

/* Whether it can match anything at all: 0, or -EINVAL with the reason. */
int kp_wanted_check(const struct kp_wanted *wanted, struct kp_err *err);

/* What of them was found; belongs to one thread. */
struct kp_wanted_list {
	const struct kp_wanted *at;
	size_t cnt;
	bool *found; /* by index; NULL: none is wanted */
	struct {
		struct kp_container *at; /* pods that match, by UID */
		uint32_t cnt, cap;
	} pods;
};

/* 0 or -ENOMEM. at is borrowed. */
int kp_wanted_init(struct kp_wanted_list *list, const struct kp_wanted *at, size_t cnt);

/* Whether one of the list is of this kind. */
bool kp_wanted_has(const struct kp_wanted_list *list, enum kp_wanted_by by);

/* Whether the process of a task with this name is wanted; KP_COMM_LEN bytes. */
bool kp_wanted_comm(struct kp_wanted_list *list, const char *comm);

/* Whether what runs in this group is wanted. */
bool kp_wanted_cgroup(struct kp_wanted_list *list, const char *path, size_t len);

/* Takes note of a pod; true: it is wanted, and its groups are from now on. */
bool kp_wanted_pod(struct kp_wanted_list *list, const struct kp_pod *pod);

void kp_wanted_done(struct kp_wanted_list *list);

#endif
