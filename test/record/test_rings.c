/* SPDX-License-Identifier: MIT
 * How many rings there are, and who writes into which.
 */
#include <criterion/criterion.h>

#include "record/rings.h"

#define MIB (1ull << 20)

static uint64_t total(const struct kp_ring_plan *plan)
{
	return plan->cnt * plan->event_len;
}

Test(rings, each_of_a_few_cpus_has_its_own)
{
	struct kp_ring_plan plan = kp_ring_plan(4, 8 * MIB);

	cr_assert_eq(plan.cnt, 4);
	cr_assert_eq(plan.event_len, 8 * MIB);
	cr_assert_eq(plan.payload_len, 32 * MIB);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		cr_assert_eq(kp_ring_of(&plan, cpu, cpu, true), cpu);
}

Test(rings, many_cpus_stay_within_the_memory)
{
	for (unsigned online = 1; online <= KP_CPU_MAX; online++)
		for (uint64_t len = 1; len <= 512 * MIB; len = len * 3 + 1) {
			struct kp_ring_plan plan = kp_ring_plan(online, len);

			cr_assert(plan.cnt >= 1 && plan.cnt <= online);
			cr_assert(plan.event_len >= len);
			cr_assert(plan.cnt == 1 || total(&plan) <= KP_RINGS_MAX);
			cr_assert(plan.cnt * plan.payload_len <= KP_RINGS_MAX,
				  "%u CPUs, rings of %lu", online, (unsigned long)len);
			cr_assert_eq(plan.payload_len & (plan.payload_len - 1), 0);
		}
	cr_assert_eq(kp_ring_plan(64, 8 * MIB).cnt, 32);
}

Test(rings, every_cpu_has_one_also_if_it_is_offline)
{
	struct kp_ring_plan plan = kp_ring_plan(3, 8 * MIB);

	for (unsigned cpu = 0; cpu < KP_CPU_MAX; cpu++) {
		cr_assert(kp_ring_of(&plan, cpu, 0, false) < plan.cnt);
		cr_assert(kp_ring_of(&plan, cpu, cpu, true) < plan.cnt);
	}
}
