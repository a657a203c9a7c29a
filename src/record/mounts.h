/* SPDX-License-Identifier: MIT
 *
 * The mounts of the processes that are looked at, from /proc/PID/mountinfo (proc(5)): reading it
 * asks no file system for anything.
 */
#ifndef KP_RECORD_MOUNTS_H
#define KP_RECORD_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct kp_mounts {
	struct kp_map mounts; /* mount id → what is known of it */
	struct kp_map spaces; /* mount namespaces that were read */
};

struct kp_mount {
	uint32_t dev;    /* major << 20 | minor */
	bool is_foreign; /* its file system may hang: it asks somebody outside the kernel */
};

/* The mount with this id, which pid sees. False: unknown (detached, or gone). */
bool kp_mounts_get(struct kp_mounts *mounts, uint32_t pid, uint64_t id, struct kp_mount *ret_mount);

void kp_mounts_done(struct kp_mounts *mounts);

#endif
