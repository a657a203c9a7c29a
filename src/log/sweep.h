/* SPDX-License-Identifier: MIT
 * Objects that no segment of a log names any more.
 */
#ifndef KP_LOG_SWEEP_H
#define KP_LOG_SWEEP_H

#include <stdbool.h>

#include "kprobe/log_format.h"

/* Whether a segment that has these kinds may name objects: its number is never another's. */
bool kp_sweep_may_name(const struct kp_set *kinds);

/*
 * Removes the objects in the log's folder that no segment of any boot names. Nobody may write
 * objects meanwhile. If a part of the log cannot be read, which may name any, none is removed. 0 or
 * -errno.
 */
int kp_sweep_objects(int log_fd);

#endif
