/* SPDX-License-Identifier: MIT
 * Memory that is given back all at once; see arena.h.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN ((size_t)64 * 1024)

struct kp_arena_chunk {
	struct kp_arena_chunk *older;
	size_t pad; /* keeps the bytes behind the header aligned to 16 */
};

void *kp_arena_alloc(struct kp_arena *arena, size_t len)
{
	struct kp_arena_chunk *chunk;
	size_t cap;
	char *place;

	if (len > SIZE_MAX / 2) {
		arena->failed = true;
		return NULL;
	}
	len = (len + 15) & ~(size_t)15;
	if (!arena->newest || arena->cap - arena->used < len) {
		cap = len > CHUNK_LEN ? len : CHUNK_LEN;
		chunk = calloc(1, sizeof(*chunk) + cap);
		if (!chunk) {
			arena->failed = true;
			return NULL;
		}
		chunk->older = arena->newest;
		arena->newest = chunk;
		arena->used = 0;
		arena->cap = cap;
	}
	place = (char *)(arena->newest + 1) + arena->used;
	arena->used += len;
	return place;
}

char *kp_arena_strndup(struct kp_arena *arena, const char *text, size_t len)
{
	char *copy = kp_arena_alloc(arena, len + 1);

	if (copy && len)
		memcpy(copy, text, len);
	return copy;
}

char *kp_arena_take(struct kp_arena *arena, struct kp_buf *text)
{
	char *copy = NULL;

	if (text->failed)
		arena->failed = true;
	else
		copy = kp_arena_strndup(arena, text->data, text->len);
	kp_buf_done(text);
	return copy;
}

void kp_arena_done(struct kp_arena *arena)
{
	struct kp_arena_chunk *chunk = arena->newest, *older;

	for (; chunk; chunk = older) {
		older = chunk->older;
		free(chunk);
	}
	memset(arena, 0, sizeof(*arena));
}
