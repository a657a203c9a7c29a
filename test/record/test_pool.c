/* SPDX-License-Identifier: MIT
 * Blocks for events: their sizes, quotas and memory.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "record/pool.h"

#define LARGE KP_BLOCK_RAW_MAX

static struct kp_pool begin(size_t blocks)
{
	struct kp_pool pool;

	kp_pool_init(&pool, blocks * LARGE);
	return pool;
}

Test(pool, a_block_grows_with_what_it_holds)
{
	struct kp_pool pool = begin(4);
	struct kp_pipeline_block *block = kp_pool_take(&pool, KP_POOL_EVENTS, 100, 0);

	cr_assert_not_null(block);
	cr_expect_eq(block->room, KP_POOL_ROOM_MIN);
	block->len = 3;
	memcpy(block->data, "abc", 3);
	block->opened_ns = 77;
	while (block->room < LARGE) {
		block = kp_pool_grow(&pool, KP_POOL_EVENTS, block);
		cr_assert_not_null(block);
	}
	cr_expect_null(kp_pool_grow(&pool, KP_POOL_EVENTS, block));
	cr_expect_eq(block->opened_ns, 77);
	cr_expect_arr_eq(block->data, "abc", 3);
	cr_expect_eq(pool.used_len, LARGE);
	cr_expect_eq(pool.open_len, LARGE);
	kp_pool_close(&pool, block);
	kp_pool_give(&pool, block);
	cr_expect_eq(pool.used_len, 0);
	cr_expect_eq(pool.open_len, 0);
	block = kp_pool_take(&pool, KP_POOL_EVENTS, 100, LARGE / 2);
	cr_expect_eq(block->room, LARGE, "what a stream filled last it has at once");
	kp_pool_close(&pool, block);
	kp_pool_give(&pool, block);
	kp_pool_done(&pool);
}

Test(pool, open_blocks_leave_half_to_the_queue)
{
	struct kp_pool pool = begin(8);
	struct kp_pipeline_block *open[4], *small, *large;

	for (int i = 0; i < 4; i++) {
		open[i] = kp_pool_take(&pool, KP_POOL_EVENTS, 1, LARGE);
		cr_assert_eq(open[i]->room, LARGE);
	}
	small = kp_pool_take(&pool, KP_POOL_EVENTS, 1, LARGE);
	cr_assert_eq(small->room, KP_POOL_ROOM_MIN);
	cr_expect_null(kp_pool_grow(&pool, KP_POOL_EVENTS, small));
	large = kp_pool_take(&pool, KP_POOL_EVENTS, LARGE, 0);
	cr_assert_eq(large->room, LARGE, "an event that needs it has it");
	kp_pool_close(&pool, open[0]);
	kp_pool_close(&pool, open[1]);
	small = kp_pool_grow(&pool, KP_POOL_EVENTS, small);
	cr_assert_not_null(small, "what is queued is not open");
	for (int i = 0; i < 4; i++) {
		if (i > 1)
			kp_pool_close(&pool, open[i]);
		kp_pool_give(&pool, open[i]);
	}
	kp_pool_close(&pool, small);
	kp_pool_give(&pool, small);
	kp_pool_close(&pool, large);
	kp_pool_give(&pool, large);
	kp_pool_done(&pool);
}

/* Takes blocks until there are no more; returns how many. */
static unsigned take_all(struct kp_pool *pool, enum kp_pool_class class, uint32_t room,
			 struct kp_pipeline_block **list)
{
	struct kp_pipeline_block *block;
	unsigned cnt = 0;

	while ((block = kp_pool_take(pool, class, room, 0))) {
		kp_pool_close(pool, block);
		block->next = *list;
		*list = block;
		cnt++;
	}
	return cnt;
}

static void give_all(struct kp_pool *pool, struct kp_pipeline_block *list)
{
	struct kp_pipeline_block *next;

	for (; list; list = next) {
		next = list->next;
		kp_pool_give(pool, list);
	}
}

Test(pool, each_class_has_its_quota_and_all_one_ceiling)
{
	struct kp_pipeline_block *lists[KP_POOL_CLASSES] = {NULL};
	struct kp_pool pool = begin(8);

	cr_expect_eq(take_all(&pool, KP_POOL_EVENTS, LARGE, &lists[KP_POOL_EVENTS]), 8);
	cr_expect_eq(take_all(&pool, KP_POOL_LIFE, LARGE, &lists[KP_POOL_LIFE]), 16);
	cr_expect_eq(take_all(&pool, KP_POOL_OWN, LARGE, &lists[KP_POOL_OWN]), 4);
	cr_expect_eq(pool.made_len, kp_pool_max(&pool));
	for (int i = 0; i < KP_POOL_CLASSES; i++) {
		give_all(&pool, lists[i]);
		lists[i] = NULL;
	}
	/* Of another size: what was given back makes place. */
	cr_expect_eq(take_all(&pool, KP_POOL_EVENTS, 1, &lists[KP_POOL_EVENTS]),
		     8 * LARGE / KP_POOL_ROOM_MIN);
	cr_expect_leq(pool.made_len, kp_pool_max(&pool));
	give_all(&pool, lists[KP_POOL_EVENTS]);
	cr_expect_eq(pool.used_len, 0);
	kp_pool_done(&pool);
}

Test(pool, what_was_needed_once_is_not_kept_for_ever)
{
	struct kp_pool pool = begin(200);
	struct kp_pipeline_block *list = NULL;

	cr_assert_eq(take_all(&pool, KP_POOL_EVENTS, LARGE, &list), 200);
	cr_expect_eq(pool.made_len, 200 * LARGE);
	give_all(&pool, list);
	cr_expect_eq(pool.used_len, 0);
	cr_expect_eq(pool.made_len, KP_POOL_KEPT_LEN);
	list = NULL;
	cr_expect_eq(take_all(&pool, KP_POOL_EVENTS, LARGE, &list), 200, "as many as before");
	give_all(&pool, list);
	kp_pool_done(&pool);
	cr_expect_eq(pool.made_len, 0);
}
