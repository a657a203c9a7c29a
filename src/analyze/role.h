/* SPDX-License-Identifier: MIT
 *
 * Roles: the threads of a pool, and the copies of a process, do the same work under names that
 * differ in their numbers. What is normal is compared by role, and what one process does in one
 * role is one cause.
 */
#ifndef KP_ANALYZE_ROLE_H
#define KP_ANALYZE_ROLE_H

#include "analyze/model.h"

/* Whether the names are alike but for numbers: "pool-1-thread-3" and "pool-1-thread-12". */
bool kp_role_same(const char *a, const char *b);

/* The first task asked about, with the same roles map, of the task's process that has its role at
 * t_ns; itself, if out of memory. roles: empty at first. task may be KP_NONE. */
uint32_t kp_role_first(const struct kp_model *model, struct kp_map *roles, uint32_t task,
		       uint64_t t_ns);

#endif
