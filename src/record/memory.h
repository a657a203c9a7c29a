/* SPDX-License-Identifier: MIT
 *
 * How the memory that a recorder may take is shared out: to the rings in the kernel, to what waits
 * to be written, and to all else, of which the size is known well enough.
 */
#ifndef KP_RECORD_MEMORY_H
#define KP_RECORD_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define KP_MEMORY_MIN (64ull << 20)
/* What is recorded for replay must be whole, and comes in pieces of up to 64 MiB. */
#define KP_MEMORY_DEFAULT (200ull << 20)
#define KP_MEMORY_DEFAULT_SELECT (640ull << 20)

/* Most bytes of each. */
struct kp_memory {
	uint64_t events;   /* rings of events */
	uint64_t payloads; /* rings of what is recorded for replay, … */
	uint64_t bulk;     /* … and the one for large calls; a power of two */
	uint64_t queue;    /* what waits to be written */
};

/* total: KP_MEMORY_MIN or more; 0: the default. select: something is recorded for replay. */
struct kp_memory kp_memory_share(uint64_t total, bool select);

#endif
