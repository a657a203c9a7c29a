/* SPDX-License-Identifier: MIT
 * How many rings there are, and who writes into which.
 */
#include <criterion/criterion.h>

#include "record/rings.h"

#define MIB (1ull << 20)

static uint64_t events_len(const struct kp_ring_plan *plan)
{
	return plan->cnt * (plan->event_len / KP_PIECE_LEN * sizeof(struct kp_piece) + 256 * 1024);
}

Test(rings, each_of_a_few_cpus_has_its_own)
{
	struct kp_memory share = kp_memory_share(0, true);
	struct kp_ring_plan plan = kp_ring_plan(4, 8 * MIB, &share);

	cr_assert_eq(plan.cnt, 4);
	cr_assert_eq(plan.event_len, 8 * MIB);
	cr_assert_eq(plan.payload_len, 32 * MIB);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		cr_assert_eq(kp_ring_of(&plan, cpu, cpu, true), cpu);
}

Test(rings, stay_within_the_memory)
{
	for (unsigned online = 1; online <= KP_CPU_MAX; online++)
		for (uint64_t total = KP_MEMORY_MIN; total <= 4096 * MIB; total *= 4)
			for (uint64_t len = 1; len <= 512 * MIB; len = len * 3 + 1) {
				struct kp_memory share = kp_memory_share(total, online % 2);
				struct kp_ring_plan plan = kp_ring_plan(online, len, &share);

				cr_assert(plan.cnt >= 1 && plan.cnt <= online);
				cr_assert_leq(events_len(&plan), share.events,
					      "%u CPUs, rings of %lu", online, (unsigned long)len);
				cr_assert_eq(plan.event_len & (plan.event_len - 1), 0);
				cr_assert_eq(plan.payload_len & (plan.payload_len - 1), 0);
				if (online % 2)
					cr_assert_leq(plan.cnt * plan.payload_len, share.payloads);
			}
}

Test(rings, many_cpus_have_smaller_ones_and_then_share)
{
	struct kp_memory share = kp_memory_share(0, false);

	cr_assert_geq(kp_ring_plan(64, 8 * MIB, &share).cnt, 60);
	cr_assert_eq(kp_ring_plan(64, 8 * MIB, &share).event_len, MIB);
	cr_assert_lt(kp_ring_plan(512, 8 * MIB, &share).cnt, 512);
}

Test(rings, every_cpu_has_one_also_if_it_is_offline)
{
	struct kp_memory share = kp_memory_share(0, true);
	struct kp_ring_plan plan = kp_ring_plan(3, 8 * MIB, &share);

	for (unsigned cpu = 0; cpu < KP_CPU_MAX; cpu++) {
		cr_assert(kp_ring_of(&plan, cpu, 0, false) < plan.cnt);
		cr_assert(kp_ring_of(&plan, cpu, cpu, true) < plan.cnt);
	}
}
