/* SPDX-License-Identifier: MIT
 * Sources beside the rings: when they are ticked, started and stopped.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "record/sources.h"

/* The owner, here one that counts. */
struct recorder {
	int started, often, seldom, stopped, other;
};

static int start(struct recorder *owner, struct kp_err *err)
{
	(void)err;
	owner->started++;
	return 0;
}

static int fail(struct recorder *owner, struct kp_err *err)
{
	(void)owner;
	return kp_err_set(err, -EIO, "it cannot");
}

static void often(struct recorder *owner)
{
	owner->often++;
}

static void seldom(struct recorder *owner)
{
	owner->seldom++;
}

static void other(struct recorder *owner)
{
	owner->other++;
}

static void stop(struct recorder *owner)
{
	owner->stopped++;
}

static const struct kp_source table[] = {
	{"often", 0, 0, start, often, NULL},
	{"seldom", 1, 100, start, seldom, stop},
	{"of another group", 2, 0, start, other, stop},
};

Test(sources, each_is_ticked_at_its_pace)
{
	struct recorder seen = {0};
	struct kp_sources s = {.table = table, .cnt = 3, .groups = 1, .owner = &seen};
	struct kp_err err;

	cr_assert_eq(kp_sources_start(&s, 1000, &err), 0);
	cr_expect_eq(seen.started, 2);
	for (uint64_t now = 1000; now < 1400; now += 30)
		kp_sources_turn(&s, now);
	cr_expect_eq(seen.often, 14);
	cr_expect_eq(seen.seldom, 3, "at 1120, 1210 and 1300");
	kp_sources_turn(&s, 5000);
	kp_sources_turn(&s, 5010);
	cr_expect_eq(seen.seldom, 4, "what was missed is not made up for");
	kp_sources_turn(&s, 5100);
	cr_expect_eq(seen.seldom, 5);
	kp_sources_stop(&s);
	kp_sources_stop(&s);
	cr_expect_eq(seen.stopped, 1);
	cr_expect_eq(seen.other, 0);
}

Test(sources, what_was_not_started_is_not_stopped)
{
	static const struct kp_source broken[] = {{"whole", 0, 0, start, NULL, stop},
						  {"broken", 0, 0, fail, NULL, stop},
						  {"after", 0, 0, start, NULL, stop}};
	struct recorder seen = {0};
	struct kp_sources s = {.table = broken, .cnt = 3, .owner = &seen};
	struct kp_err err;

	cr_assert_eq(kp_sources_start(&s, 0, &err), -EIO);
	cr_expect_str_eq(err.text, "it cannot");
	kp_sources_stop(&s);
	cr_expect_eq(seen.started, 1);
	cr_expect_eq(seen.stopped, 1);
}
