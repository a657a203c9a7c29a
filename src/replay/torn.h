/* SPDX-License-Identifier: MIT
 * The memory that the process can write, for calls that stop where they cannot (torn.c).
 */
#ifndef KP_REPLAY_TORN_H
#define KP_REPLAY_TORN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct kp_span {
	uint64_t start, end;
	bool file; /* a file's, which may end before it */
};

/* Zero-initialised. */
struct kp_writable {
	KP_VEC(struct kp_span) spans; /* by address */
	uint64_t as_of;               /* 1 + the process's changes when it was read; 0: never */
};

void kp_writable_done(struct kp_writable *writable);

#endif
