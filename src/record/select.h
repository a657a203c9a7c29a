/* SPDX-License-Identifier: MIT
 * Which processes of those that run already have their payloads recorded.
 */
#ifndef KP_RECORD_SELECT_H
#define KP_RECORD_SELECT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "record/probes.h"

/*
 * Selects processes and all their descendants. 0 or a negative errno; -ESRCH if one of pids does
 * not exist.
 */
int kp_select_trees(struct kp_probes *probes, const pid_t *pids, size_t pid_cnt,
		    struct kp_err *err);

#endif
