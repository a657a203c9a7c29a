/* SPDX-License-Identifier: MIT
 * The budget's controller: from a series of what was used to steps.
 */
#include <criterion/criterion.h>

#include "record/budget.h"
#include "record/tiers.h"

#define SECOND 1000000000ull
#define ONE_PERCENT 1000
#define CPUS 4

struct series {
	struct kp_budget budget;
	uint64_t now_ns, used_ns;
	bool can_rise;
};

static struct series begin(uint32_t share, bool can_rise)
{
	struct series s = {.now_ns = 1000 * SECOND, .can_rise = can_rise};

	kp_budget_init(&s.budget, share, CPUS);
	return s;
}

/* So many seconds with a load in percent of the node; returns the second of the first step, and in
 * *ret_step which; or 0. */
static unsigned run(struct series *s, unsigned seconds, double percent, int *ret_step)
{
	for (unsigned i = 1; i <= seconds; i++) {
		s->now_ns += SECOND;
		s->used_ns += (uint64_t)(percent / 100 * CPUS * SECOND);
		*ret_step = kp_budget_look(&s->budget, s->now_ns, s->used_ns, s->can_rise);
		if (*ret_step)
			return i;
	}
	return 0;
}

Test(budget, over_it_for_ten_seconds)
{
	struct series s = begin(ONE_PERCENT, false);
	int step;

	cr_expect_eq(run(&s, 100, 0.99, &step), 0);
	cr_expect_eq(run(&s, 100, 1.5, &step), 1, "the time before counts");
	cr_expect_eq(step, -1);
	cr_expect_eq(s.budget.used, 1041);
	cr_expect_eq(run(&s, 100, 1.5, &step), 11, "one step at a time");
	cr_expect_eq(step, -1);
}

Test(budget, a_moments_work_is_no_reason)
{
	struct series s = begin(ONE_PERCENT, false);
	int step;

	cr_expect_eq(run(&s, 60, 0.2, &step), 0);
	cr_expect_eq(run(&s, 1, 7.5, &step), 0);
	cr_expect_eq(run(&s, 60, 0.2, &step), 0);
	cr_expect_eq(run(&s, 1, 8.5, &step), 1);
}

Test(budget, no_limit)
{
	struct series s = begin(0, true);
	int step;

	cr_expect_eq(run(&s, 1000, 100, &step), 0);
}

Test(budget, up_again_when_there_is_room_for_long)
{
	struct series s = begin(ONE_PERCENT, true);
	int step;

	cr_expect_eq(run(&s, 300, 0.6, &step), 0, "under it, but not by half");
	cr_expect_eq(run(&s, 300, 0.4, &step), 6 + 30, "the mean falls first");
	cr_expect_eq(step, 1);
	s.can_rise = false;
	cr_expect_eq(run(&s, 300, 0.4, &step), 0, "there is nothing above");
}

Test(budget, a_step_that_fails_is_tried_again_later_and_later)
{
	struct series s = begin(ONE_PERCENT, true);
	unsigned last = 0, second;
	int step;

	for (int i = 0; i < 10; i++) {
		second = run(&s, 10000, 0.1, &step);
		cr_expect_eq(step, 1);
		cr_expect_gt(second, i > 7 ? last - 1 : last);
		last = second;
		cr_expect_eq(run(&s, 100, 2, &step), 11);
		cr_expect_eq(step, -1);
	}
	cr_expect_eq(last, 11 + 3600, "but once an hour");
	run(&s, 10000, 0.1, &step);
	cr_expect_eq(run(&s, 600, 0.6, &step), 0);
	run(&s, 100, 2, &step);
	cr_expect_eq(step, -1);
	cr_expect_eq(run(&s, 10000, 0.1, &step), 11 + 30, "the last one has lasted");
}

Test(budget, what_was_before_a_step_of_others_counts_no_more)
{
	struct series s = begin(ONE_PERCENT, false);
	int step;

	cr_expect_eq(run(&s, 10, 50, &step), 0);
	kp_budget_reset(&s.budget);
	cr_expect_eq(run(&s, 100, 0.5, &step), 0);
}

Test(tiers, the_next_one_of_a_set)
{
	const uint32_t sched = 1u << KP_GROUP_sched, syscall = 1u << KP_GROUP_syscall;
	const uint32_t all = kp_probes_tiers(sched | syscall), waits = kp_probes_tiers(sched),
		       calls = kp_probes_tiers(syscall);

	cr_expect_eq(kp_tier_below(all, KP_TIER_calls), KP_TIER_waits);
	cr_expect_eq(kp_tier_below(all, KP_TIER_waits), KP_TIER_switches);
	cr_expect_eq(kp_tier_below(all, KP_TIER_none), KP_TIER_none);
	cr_expect_eq(kp_tier_above(all, KP_TIER_waits), KP_TIER_calls);
	cr_expect_eq(kp_tier_above(waits, KP_TIER_waits), KP_TIER_waits);
	cr_expect_eq(kp_tier_below(calls, KP_TIER_calls), KP_TIER_none);
	cr_expect_eq(kp_tier_above(calls, KP_TIER_none), KP_TIER_calls);
	cr_expect_eq(kp_probes_tiers(0), 1u << KP_TIER_none);
}
