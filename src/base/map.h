/* SPDX-License-Identifier: MIT
 *
 * A hash map from 64-bit keys to 64-bit values, open addressing with linear probing.
 * Zero-initialised is empty. There is no removal: analyses build and read; a value can be
 * overwritten.
 */
#ifndef KP_BASE_MAP_H
#define KP_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_map_slot {
	uint64_t key;
	uint64_t value;
	bool used;
};

struct kp_map {
	struct kp_map_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t cnt;
};

/* Sets key to value; 0 or -ENOMEM. */
int kp_map_put(struct kp_map *map, uint64_t key, uint64_t value);

/* The value's place, valid until the next put, or NULL. */
uint64_t *kp_map_get(const struct kp_map *map, uint64_t key);

/* The value's place, made with the value `init` if the key is new; NULL: out of memory. */
uint64_t *kp_map_upsert(struct kp_map *map, uint64_t key, uint64_t init);

void kp_map_done(struct kp_map *map);

#endif
