/* SPDX-License-Identifier: MIT
 *
 * Memory that is given back all at once. Zero-initialised is empty.
 */
#ifndef KP_BASE_ARENA_H
#define KP_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct kp_arena_chunk;

struct kp_arena {
	struct kp_arena_chunk *newest;
	size_t used; /* bytes taken from the newest chunk */
	size_t cap;  /* bytes that it has */
	bool failed; /* something had no room; who fills it may look at the end only */
};

/* len zeroed bytes, aligned to 16; NULL: out of memory. */
void *kp_arena_alloc(struct kp_arena *arena, size_t len);

/* A copy of len bytes with a NUL behind it; NULL: out of memory. */
char *kp_arena_strndup(struct kp_arena *arena, const char *text, size_t len);

/* A copy of a text, which is emptied and its memory given back; NULL: out of memory, now or while
 * the text was made. */
char *kp_arena_take(struct kp_arena *arena, struct kp_buf *text);

void kp_arena_done(struct kp_arena *arena);

#endif
