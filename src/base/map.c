/* SPDX-License-Identifier: MIT
 * A hash map of 64-bit numbers; see map.h.
 */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static struct kp_map_slot *find_slot(const struct kp_map *map, uint64_t key)
{
	size_t i = mix(key) & (map->cap - 1);

	while (map->slots[i].used && map->slots[i].key != key)
		i = (i + 1) & (map->cap - 1);
	return &map->slots[i];
}

static int grow(struct kp_map *map)
{
	struct kp_map bigger = {.cap = map->cap ? map->cap * 2 : 64, .cnt = map->cnt};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].used)
			*find_slot(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

uint64_t *kp_map_get(const struct kp_map *map, uint64_t key)
{
	struct kp_map_slot *slot;

	if (!map->cap)
		return NULL;
	slot = find_slot(map, key);
	return slot->used ? &slot->value : NULL;
}

uint64_t *kp_map_upsert(struct kp_map *map, uint64_t key, uint64_t init)
{
	struct kp_map_slot *slot;

	if (map->cnt * 4 >= map->cap * 3 && grow(map) < 0)
		return NULL;
	slot = find_slot(map, key);
	if (!slot->used) {
		*slot = (struct kp_map_slot){.key = key, .value = init, .used = true};
		map->cnt++;
	}
	return &slot->value;
}

int kp_map_put(struct kp_map *map, uint64_t key, uint64_t value)
{
	uint64_t *place = kp_map_upsert(map, key, value);

	if (!place)
		return -ENOMEM;
	*place = value;
	return 0;
}

void kp_map_done(struct kp_map *map)
{
	free(map->slots);
	memset(map, 0, sizeof(*map));
}
