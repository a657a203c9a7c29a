/* SPDX-License-Identifier: MIT
 *
 * Growing arrays of one element type: `struct { T *at; uint32_t cnt, cap; }`, zero-initialised is
 * empty. At most 2^31 elements.
 */
#ifndef KP_BASE_VEC_H
#define KP_BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define KP_VEC(type)          \
	struct {              \
		type *at;     \
		uint32_t cnt; \
		uint32_t cap; \
	}

/* Elements from which on an array grows by a half, before that by itself. */
#define KP_VEC_LARGE 65536u

/* Room for at least cnt elements of len bytes behind *at; 0 or -ENOMEM. */
static inline int kp_vec_reserve(void **at, uint32_t *cap, uint32_t cnt, size_t len)
{
	uint32_t bigger = *cap ? *cap : 8;
	void *place;

	if (cnt <= *cap)
		return 0;
	while (bigger < cnt) {
		if (bigger > UINT32_MAX / 4)
			return -ENOMEM;
		bigger += bigger < KP_VEC_LARGE ? bigger : bigger / 2;
	}
	place = realloc(*at, bigger * len);
	if (!place)
		return -ENOMEM;
	*at = place;
	*cap = bigger;
	return 0;
}

/* Makes room for one more element behind vec->cnt; 0 or -ENOMEM. */
#define KP_VEC_GROW(vec) \
	kp_vec_reserve((void **)&(vec)->at, &(vec)->cap, (vec)->cnt + 1, sizeof(*(vec)->at))

/* Appends value (an lvalue or a compound literal in parentheses); 0 or -ENOMEM. */
#define KP_VEC_PUSH(vec, value) \
	(KP_VEC_GROW(vec) < 0 ? -ENOMEM : ((vec)->at[(vec)->cnt++] = (value), 0))

#define KP_VEC_DONE(vec) (free((vec)->at), (vec)->at = NULL, (vec)->cnt = (vec)->cap = 0)

#endif
