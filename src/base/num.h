/* SPDX-License-Identifier: MIT
 * Arithmetic of 64-bit numbers, mostly times.
 */
#ifndef KP_BASE_NUM_H
#define KP_BASE_NUM_H

#include <stdint.h>

static inline uint64_t kp_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t kp_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The nearest to x in [lo, hi]. */
static inline uint64_t kp_clamp64(uint64_t x, uint64_t lo, uint64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* How far a and b are apart. */
static inline uint64_t kp_apart64(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

#endif
