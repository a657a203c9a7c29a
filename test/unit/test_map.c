/* SPDX-License-Identifier: MIT
 * kp_map: many keys, upsert, and values that can be changed in place.
 */
#include <criterion/criterion.h>

#include "base/map.h"

Test(map, holds_every_key_over_growth)
{
	struct kp_map map = {0};

	cr_assert_null(kp_map_get(&map, 0));
	for (uint64_t i = 0; i < 20000; i++)
		cr_assert_eq(kp_map_put(&map, i * 0x100000001u, i), 0);
	cr_assert_eq(map.cnt, 20000);
	for (uint64_t i = 0; i < 20000; i++) {
		cr_assert_not_null(kp_map_get(&map, i * 0x100000001u));
		cr_assert_eq(*kp_map_get(&map, i * 0x100000001u), i);
	}
	cr_assert_null(kp_map_get(&map, 1));
	kp_map_done(&map);
	cr_assert_eq(map.cnt, 0);
}

Test(map, put_overwrites)
{
	struct kp_map map = {0};

	cr_assert_eq(kp_map_put(&map, UINT64_MAX, 1), 0);
	cr_assert_eq(kp_map_put(&map, UINT64_MAX, 2), 0);
	cr_assert_eq(map.cnt, 1);
	cr_assert_eq(*kp_map_get(&map, UINT64_MAX), 2);
	kp_map_done(&map);
}

Test(map, upsert_makes_once)
{
	struct kp_map map = {0};
	uint64_t *value = kp_map_upsert(&map, 0, 10);

	cr_assert_eq(*value, 10);
	*value = 11;
	cr_assert_eq(*kp_map_upsert(&map, 0, 10), 11);
	cr_assert_eq(map.cnt, 1);
	kp_map_done(&map);
}
