/* SPDX-License-Identifier: MIT
 * Wall clock and monotonic clock: slewed, set forward, set back, and there and back again.
 */
#include <criterion/criterion.h>

#include "analyze/clock.h"

#define S 1000000000ull
#define EPOCH (1700000000ull * S)

static struct kp_clock c;

static void add(uint64_t mono, uint64_t real)
{
	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){mono, real, 100}), 0);
}

Test(clock, none_and_one_reading)
{
	cr_expect_eq(kp_clock_to_mono(&c, 77), 77);
	add(10 * S, EPOCH);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH + S), 11 * S);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH - S), 9 * S);
	cr_expect_eq(kp_clock_to_real(&c, 12 * S), EPOCH + 2 * S);
	kp_clock_done(&c);
}

Test(clock, slew_is_interpolated_both_ways)
{
	add(10 * S, EPOCH);
	add(11 * S, EPOCH + S + 400000); /* 400 ppm fast */
	cr_expect_eq(kp_clock_to_real(&c, 10 * S + S / 2), EPOCH + S / 2 + 200000);
	for (uint64_t t = 10 * S; t <= 11 * S; t += S / 7) {
		uint64_t back = kp_clock_to_mono(&c, kp_clock_to_real(&c, t));

		cr_expect(back >= t - 2 && back <= t + 2, "%lu became %lu", t, back);
	}
	kp_clock_done(&c);
}

Test(clock, a_step_holds_until_it_is_seen)
{
	add(10 * S, EPOCH);
	add(11 * S, EPOCH + 3601 * S); /* an hour forward */
	add(12 * S, EPOCH + 3602 * S);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH + S / 2), 10 * S + S / 2);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH + 3601 * S + S / 2), 11 * S + S / 2);
	cr_expect_eq(kp_clock_to_real(&c, 10 * S + S / 2), EPOCH + S / 2);
	cr_expect_geq(kp_clock_bound(&c, 10 * S + S / 2), 3600 * S);
	cr_expect_lt(kp_clock_bound(&c, 11 * S + S / 2), S / 1000);
	kp_clock_done(&c);
}

Test(clock, set_back_the_later_moment_is_meant)
{
	add(10 * S, EPOCH);
	add(20 * S, EPOCH + 10 * S);
	add(21 * S, EPOCH + S); /* ten seconds back */
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH + 2 * S), 22 * S);
	kp_clock_done(&c);
}

Test(clock, readings_out_of_order_are_ignored)
{
	add(10 * S, EPOCH);
	add(9 * S, EPOCH + 50 * S);
	cr_expect_eq(kp_clock_to_real(&c, 10 * S), EPOCH);
	kp_clock_done(&c);
}
