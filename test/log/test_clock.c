/* SPDX-License-Identifier: MIT
 * Wall clock and monotonic clock: slewed, set forward, set back, and there and back again.
 */
#include <criterion/criterion.h>

#include "fixture.h"
#include "log/clock.h"

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

Test(clock, before_the_boot_is_zero)
{
	add(10 * S, EPOCH);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH - 10 * S), 0);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH - 11 * S), 0);
	cr_expect_eq(kp_clock_to_mono(&c, 0), 0);
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

/* --- from a log --- */

static void append_clock(struct kp_log_writer *writer, uint64_t mono, uint64_t real)
{
	struct kp_ev_clock event = {
		.hdr = {.time_ns = mono, .size = sizeof(event), .kind = KP_EV_clock},
		.realtime_ns = real};
	struct kp_err err = {""};

	cr_assert_eq(kp_log_append(writer, KP_CPU_USER, &event, sizeof(event), no_loss, &err), 0,
		     "%s", err.text);
}

Test(clock, readings_of_a_log, .init = fixture_setup, .fini = fixture_teardown)
{
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_log_filter own = {.own = true};
	struct kp_log_reader *reader;
	uint64_t rnd = 1, time_ns = 10 * S;
	struct kp_err err = {""};

	append_clock(writer, 10 * S, EPOCH);
	fixture_append(writer, 0, 100, &time_ns, &rnd, NULL);
	append_clock(writer, 11 * S, EPOCH + 61 * S); /* set a minute forward */
	fixture_append(writer, 1 | KP_STREAM_LIFE, 100, &time_ns, &rnd, NULL);
	fixture_close(writer);
	cr_assert_eq(kp_clock_read(fixture_dir, &c, &err), 0, "%s", err.text);
	cr_expect_eq(c.readings.cnt, 2);
	cr_expect_eq(kp_clock_to_mono(&c, EPOCH + 62 * S), 12 * S);
	kp_clock_done(&c);
	reader = fixture_open(fixture_dir, &own);
	cr_expect_eq(fixture_read(reader, NULL), 2);
	cr_expect_eq(kp_log_rewind(reader, &err), 0);
	cr_expect_eq(fixture_read(reader, NULL), 2);
	kp_log_reader_free(reader);
}

Test(clock, a_log_without_readings_has_its_begin, .init = fixture_setup, .fini = fixture_teardown)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t rnd = 1, time_ns = 10 * S;
	struct kp_log_reader *reader;
	struct kp_err err = {""};

	fixture_append(writer, 0, 10, &time_ns, &rnd, NULL);
	fixture_close(writer);
	cr_assert_eq(kp_clock_read(fixture_dir, &c, &err), 0, "%s", err.text);
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(kp_clock_to_real(&c, kp_log_get_info(reader)->start_time_ns),
		     kp_log_get_info(reader)->start_realtime_ns);
	kp_log_reader_free(reader);
	kp_clock_done(&c);
}
