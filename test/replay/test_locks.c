/* SPDX-License-Identifier: MIT
 * Ranges of locked memory, against a page by page model.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/locks.h"

#define PAGES 64

static void expect_same(const struct kp_locks *locks, const unsigned char *model)
{
	for (unsigned from = 0; from < PAGES; from++) {
		unsigned first = from;

		while (first < PAGES && !model[first])
			first++;
		cr_assert_eq(kp_locks_first(locks, from * 4096, PAGES * 4096), first * 4096);
	}
}

Test(locks, are_what_was_locked)
{
	struct kp_locks locks = {.future = false};
	unsigned char model[PAGES] = {0};

	srand(7);
	for (int i = 0; i < 2000; i++) {
		unsigned from = rand() % PAGES, to = from + rand() % (PAGES - from + 1);
		int locked = rand() & 1;

		cr_assert_eq(locked ? kp_locks_add(&locks, from * 4096, to * 4096)
				    : kp_locks_remove(&locks, from * 4096, to * 4096),
			     0);
		memset(model + from, locked, to - from);
		expect_same(&locks, model);
	}
	kp_locks_done(&locks);
}

Test(locks, new_memory_is_locked_in_the_future_only)
{
	struct kp_locks locks = {.future = false};

	cr_assert_eq(kp_locks_add(&locks, 0, 0x10000), 0);
	cr_assert_eq(kp_locks_map(&locks, 0x2000, 0x3000, false), 0);
	cr_expect_eq(kp_locks_first(&locks, 0x2000, 0x10000), 0x3000);
	cr_assert_eq(kp_locks_map(&locks, 0x2000, 0x3000, true), 0);
	cr_expect_eq(kp_locks_first(&locks, 0x2000, 0x10000), 0x2000);
	locks.future = true;
	cr_assert_eq(kp_locks_map(&locks, 0x20000, 0x30000, false), 0);
	cr_expect_eq(kp_locks_first(&locks, 0x20000, 0x30000), 0x20000);
	kp_locks_done(&locks);
}

Test(locks, have_an_end)
{
	struct kp_locks locks = {.future = false};
	uint64_t cnt = 0;

	while (kp_locks_add(&locks, cnt * 8192, cnt * 8192 + 4096) == 0)
		cnt++;
	cr_expect_eq(cnt, 4096);
	cr_expect_eq(kp_locks_remove(&locks, 0, UINT64_MAX), 0);
	cr_expect_eq(kp_locks_first(&locks, 0, 4096), 4096);
	kp_locks_done(&locks);
}
