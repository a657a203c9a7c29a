/* SPDX-License-Identifier: MIT
 *
 * The processes below ours. Since we are the subreaper of what we run (prctl(2)), all recorded
 * processes are, also those whose parents have ended.
 */
#ifndef KP_RECORD_FAMILY_H
#define KP_RECORD_FAMILY_H

#include <sys/types.h>

#include "base/vec.h"

struct kp_family {
	KP_VEC(pid_t) pids;
};

/* All processes below ours but for `except` and what is below it; 0 or -ENOMEM. Those that are made
 * or reparented meanwhile may be missed. */
int kp_family_find(pid_t except, struct kp_family *ret_family);
void kp_family_done(struct kp_family *family);

#endif
