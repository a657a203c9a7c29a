/* SPDX-License-Identifier: MIT
 * Sets of kinds of events, and of what else has a number below 256.
 */
#ifndef KP_EVENT_KINDS_H
#define KP_EVENT_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kprobe/log_format.h"

#define KP_SET_WORDS (sizeof(struct kp_set) / sizeof(uint64_t))

static inline void kp_set_add(struct kp_set *set, unsigned number)
{
	set->bits[number / 64 % KP_SET_WORDS] |= 1ull << number % 64;
}

static inline bool kp_set_has(const struct kp_set *set, unsigned number)
{
	return number / 64 < KP_SET_WORDS && set->bits[number / 64] >> number % 64 & 1;
}

static inline void kp_set_join(struct kp_set *set, const struct kp_set *more)
{
	for (size_t i = 0; i < KP_SET_WORDS; i++)
		set->bits[i] |= more->bits[i];
}

/* Whether the two have a number in common. */
static inline bool kp_set_meets(const struct kp_set *a, const struct kp_set *b)
{
	for (size_t i = 0; i < KP_SET_WORDS; i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}

static inline bool kp_set_is_empty(const struct kp_set *set)
{
	return !kp_set_meets(set, set);
}

static inline struct kp_set kp_set_of(const uint16_t *list, size_t cnt)
{
	struct kp_set set = {{0}};

	for (size_t i = 0; i < cnt; i++)
		kp_set_add(&set, list[i]);
	return set;
}

/* The set of these kinds: KP_KINDS(KP_EV_task, KP_EV_fd). */
#define KP_KINDS(...)                              \
	kp_set_of((const uint16_t[]){__VA_ARGS__}, \
		  sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

#endif
