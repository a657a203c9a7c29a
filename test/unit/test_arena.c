/* SPDX-License-Identifier: MIT
 * The arena: what has no room is remembered, and nothing that was there is lost by it.
 */
#include <criterion/criterion.h>
#include <stdint.h>

#include "base/arena.h"

Test(arena, remembers_that_something_had_no_room)
{
	struct kp_arena arena = {0};
	const char *text = kp_arena_strndup(&arena, "a name", 6);

	cr_assert_str_eq(text, "a name");
	cr_expect_not(arena.failed);
	cr_expect_null(kp_arena_alloc(&arena, SIZE_MAX - 1));
	cr_expect_null(kp_arena_alloc(&arena, SIZE_MAX / 4));
	cr_expect(arena.failed);
	cr_expect_not_null(kp_arena_alloc(&arena, 100000));
	cr_expect(arena.failed, "still known at the end");
	cr_expect_str_eq(text, "a name");
	kp_arena_done(&arena);
}

Test(arena, takes_texts_and_remembers_one_that_could_not_be_made)
{
	struct kp_arena arena = {0};
	struct kp_buf text = {0};

	cr_assert_str_eq(kp_arena_take(&arena, &text), "");
	kp_buf_puts(&text, "words");
	cr_assert_str_eq(kp_arena_take(&arena, &text), "words");
	cr_expect_null(text.data);
	cr_expect_not(arena.failed);
	cr_expect_null(kp_buf_reserve(&text, SIZE_MAX / 2));
	cr_expect_null(kp_arena_take(&arena, &text));
	cr_expect(arena.failed);
	kp_arena_done(&arena);
}
