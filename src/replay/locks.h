/* SPDX-License-Identifier: MIT
 *
 * Which memory the replayed process has locked. It is not locked here, where a stranger's log must
 * not hold memory; but calls that drop pages fail for those that are locked.
 */
#ifndef KP_REPLAY_LOCKS_H
#define KP_REPLAY_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct kp_locked {
	uint64_t start, end;
};

struct kp_locks {
	KP_VEC(struct kp_locked) ranges; /* in order, apart */
	bool future;                     /* new memory is locked too */
};

/* Memory from start to end is locked, or no longer. 0, or -ENOMEM: more ranges than are kept. */
int kp_locks_add(struct kp_locks *locks, uint64_t start, uint64_t end);
int kp_locks_remove(struct kp_locks *locks, uint64_t start, uint64_t end);

/* Memory appears there; whether it is locked. */
int kp_locks_map(struct kp_locks *locks, uint64_t start, uint64_t end, bool locked);

/* The first locked address from start on, or end. */
uint64_t kp_locks_first(const struct kp_locks *locks, uint64_t start, uint64_t end);

void kp_locks_done(struct kp_locks *locks);

#endif
