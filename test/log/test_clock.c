/* SPDX-License-Identifier: MIT
 * Wall clock and monotonic clock: set forward, set back, and there and back again; asleep.
 */
#include <criterion/criterion.h>

#include "fixture.h"
#include "log/clock.h"

#define S 1000000000ull
#define EPOCH (1700000000ull * S)

static struct kp_clock c;

static void add(uint64_t mono, uint64_t real)
{
	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){mono, real, 100, 0}), 0);
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

Test(clock, readings_together_are_narrower_than_each)
{
	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){10 * S, EPOCH + 900, 2000, 0}), 0);
	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){11 * S, EPOCH + S - 900, 2000, 0}),
		     0);
	cr_expect_eq(c.eras.cnt, 1);
	cr_expect_eq(kp_clock_to_real(&c, 10 * S), EPOCH);
	cr_expect_leq(kp_clock_bound(&c, 10 * S + S / 2), 120);
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

static void explained(struct kp_clock_moment m, const char *want)
{
	struct kp_buf text = {0};

	kp_clock_explain(&c, &m, &text);
	cr_expect_str_eq(text.len ? text.data : "", want);
	kp_buf_done(&text);
}

Test(clock, set_back_the_later_moment_is_meant_and_said)
{
	struct kp_clock_moment m;

	add(10 * S, EPOCH);
	add(20 * S, EPOCH + 10 * S);
	add(20 * S + S / 1000, EPOCH + 5 * S + S / 1000); /* five seconds back */
	add(30 * S, EPOCH + 15 * S);
	m = kp_clock_find(&c, EPOCH + 7 * S);
	cr_expect_eq(m.time_ns, 22 * S);
	cr_expect_eq(m.fit, KP_CLOCK_TWICE);
	cr_expect_eq(m.first_ns, 17 * S);
	cr_expect_geq(m.bound_ns, 5 * S);
	explained(m, "the clock was set back by 5.000000 s at 2023-11-14T22:13:29.999999Z: it "
		     "showed this time twice, 5.000000 s apart; the later is taken");
	m = kp_clock_find(&c, EPOCH + 3 * S);
	cr_expect_eq(m.fit, KP_CLOCK_ONCE);
	cr_expect_lt(m.bound_ns, 1000);
	explained(m, "");
	kp_clock_done(&c);
}

Test(clock, set_forward_a_time_never_was)
{
	struct kp_clock_moment m;

	add(10 * S, EPOCH);
	add(20 * S, EPOCH + 3610 * S);
	m = kp_clock_find(&c, EPOCH + 1000 * S);
	cr_expect_eq(m.fit, KP_CLOCK_NEVER);
	cr_expect(m.first_ns >= 10 * S - 100 && m.last_ns <= 20 * S + 100);
	/* By the clock before it was set it is 1010 s; by the one after, before the boot. */
	cr_expect_geq(m.bound_ns, 990 * S);
	explained(m, "the clock was set forward by 3600.000000 s at 2023-11-14T22:13:19.999999Z "
		     "over this time, which never was; the moment of that is taken");
	kp_clock_done(&c);
}

Test(clock, asleep_is_not_set)
{
	struct kp_clock_moment m;

	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){10 * S, EPOCH, 100, 10 * S}), 0);
	cr_assert_eq(kp_clock_add(&c, (struct kp_clock_reading){10 * S + 1000, EPOCH + 90 * S, 100,
								100 * S}),
		     0);
	m = kp_clock_find(&c, EPOCH + 40 * S);
	cr_expect_eq(m.fit, KP_CLOCK_NEVER);
	explained(m, "the machine slept for 89.999999 s at 2023-11-14T22:13:19.999999Z over this "
		     "time, which never was; the moment of that is taken");
	kp_clock_done(&c);
}

Test(clock, a_window_keeps_its_length_beside_a_step)
{
	struct kp_clock_moment ends[2];

	add(10 * S, EPOCH);
	add(11 * S, EPOCH + S);
	add(12 * S, EPOCH - 3598 * S); /* an hour back */
	add(20 * S, EPOCH - 3590 * S);
	/* Both ends read by the new clock, before the reading that shows it. */
	cr_expect(kp_clock_window(&c, EPOCH - 3598 * S - S / 4, EPOCH - 3598 * S - S / 8, ends));
	cr_expect_eq(ends[0].time_ns, 12 * S - S / 4);
	cr_expect_eq(ends[1].time_ns, 12 * S - S / 8);
	cr_expect_lt(ends[0].bound_ns, 1000);
	/* Both by the old one, behind its last reading. */
	cr_expect(kp_clock_window(&c, EPOCH + S + S / 8, EPOCH + S + S / 4, ends));
	cr_expect_eq(ends[0].time_ns, 11 * S + S / 8);
	cr_expect_eq(ends[1].time_ns, 11 * S + S / 4);
	/* Across: it ends before it begins, by the wall clock. */
	cr_expect(kp_clock_window(&c, EPOCH + S / 2, EPOCH - 3597 * S, ends));
	cr_expect_eq(ends[0].time_ns, 10 * S + S / 2);
	cr_expect_eq(ends[1].time_ns, 13 * S);
	/* The other way round nothing explains it. */
	cr_expect_not(kp_clock_window(&c, EPOCH - 3595 * S, EPOCH - 3597 * S, ends));
	kp_clock_done(&c);
}

/* --- against the truth --- */

struct step {
	uint64_t at_ns;
	int64_t by_ns;
};

#define HOUR_NS (3600 * (int64_t)S)
static const struct step steps[] = {
	{15 * S + 123456789, -HOUR_NS},
	{22 * S + 987654, HOUR_NS},
	{31 * S + 500000001, 100000000},
	{31 * S + 900000001, -100000000},
	{40 * S + 5, 2000000},
	{45 * S + 77, -300000},
	{50 * S + 1000, 2 * HOUR_NS},
	{50 * S + 4001000, -HOUR_NS},
	{55 * S + 999999999, -(int64_t)(7 * S)},
};
#define STEP_CNT (sizeof(steps) / sizeof(*steps))

static uint64_t truth(uint64_t mono)
{
	uint64_t real = mono + EPOCH;

	for (size_t i = 0; i < STEP_CNT; i++)
		if (steps[i].at_ns <= mono)
			real += (uint64_t)steps[i].by_ns;
	return real;
}

static uint64_t dice(uint64_t *state, uint64_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 16) % below;
}

/* Which of the times between steps t is in, and those in which the clocks were read at all. */
static size_t stretch(uint64_t t)
{
	size_t n = 0;

	for (size_t i = 0; i < STEP_CNT; i++)
		n += steps[i].at_ns <= t;
	return n;
}

static bool was_read[STEP_CNT + 1];

static struct kp_clock_reading read_at(uint64_t t, uint64_t *state)
{
	uint64_t half = 30 + dice(state, dice(state, 20) ? 150 : 20000);
	struct kp_clock_reading r = {t, truth(t - half + dice(state, 2 * half)), 2 * half, t};

	/* The wall clock is read somewhere between the two readings of the other. */
	was_read[stretch(t)] = true;
	return r;
}

/* What the recorder does with a reading; the clock is set once a second only. */
static void take(struct kp_clock_reading r)
{
	static struct kp_clock_reading last;
	static uint64_t written;

	if (!c.eras.cnt || r.time_ns < last.time_ns)
		written = 0;
	if (written && kp_clock_is_step(&last, &r)) {
		cr_assert_eq(kp_clock_add(&c, last), 0);
		written = 0;
	}
	if (r.time_ns >= written + S) {
		cr_assert_eq(kp_clock_add(&c, r), 0);
		written = r.time_ns;
	}
	last = r;
}

/* Reads the clocks from 10 s to 60 s as the recorder does; told: the kernel wakes it when the clock
 * was set. */
static void readings(uint64_t every_ns, bool told, uint64_t *state)
{
	uint64_t wake;

	memset(was_read, 0, sizeof(was_read));
	for (uint64_t t = 10 * S; t <= 60 * S; t += every_ns) {
		take(read_at(t, state));
		for (size_t i = 0; told && i < STEP_CNT; i++) {
			wake = steps[i].at_ns + 50000 + dice(state, 1000000);
			if (steps[i].at_ns > t && wake < t + every_ns)
				take(read_at(wake, state));
		}
	}
}

/* Every moment lies within the bound of what it is taken for; counts those told as once. */
static unsigned check_moments(uint64_t *state)
{
	unsigned once = 0;

	for (int i = 0; i < 5000; i++) {
		uint64_t t = 10 * S + dice(state, 50 * S), real = truth(t);
		struct kp_clock_moment m = kp_clock_find(&c, real);
		uint64_t off = m.time_ns > t ? m.time_ns - t : t - m.time_ns;

		if (!was_read[stretch(t)]) /* nobody can know of it */
			continue;
		cr_assert_leq(off, m.bound_ns, "%lu taken for %lu, bound %lu", t, m.time_ns,
			      m.bound_ns);
		cr_assert_neq(m.fit, KP_CLOCK_NEVER, "%lu was", t);
		once += m.fit == KP_CLOCK_ONCE;
		if (m.fit == KP_CLOCK_ONCE)
			cr_assert_leq(m.bound_ns, 20010, "at %lu", t);
	}
	return once;
}

/* Likewise both ends of windows; one within an era keeps its length. */
static void check_windows(uint64_t *state)
{
	for (int i = 0; i < 5000; i++) {
		uint64_t t[2] = {10 * S + dice(state, 49 * S), 0}, off;
		struct kp_clock_moment ends[2];
		uint64_t length;

		t[1] = t[0] + dice(state, dice(state, 4) ? S / 20 : S);
		if (!was_read[stretch(t[0])] || !was_read[stretch(t[1])])
			continue;
		length = truth(t[1]) - truth(t[0]);
		cr_assert(kp_clock_window(&c, truth(t[0]), truth(t[1]), ends), "%lu %lu", t[0],
			  t[1]);
		for (int k = 0; k < 2; k++) {
			off = ends[k].time_ns > t[k] ? ends[k].time_ns - t[k]
						     : t[k] - ends[k].time_ns;
			cr_assert_leq(off, ends[k].bound_ns, "end %d: %lu taken for %lu, bound %lu",
				      k, t[k], ends[k].time_ns, ends[k].bound_ns);
		}
		if (length == t[1] - t[0] && ends[0].era == ends[1].era)
			cr_assert_eq(ends[1].time_ns - ends[0].time_ns, length);
	}
}

Test(clock, every_moment_is_within_its_bound)
{
	uint64_t state = 1;

	for (int round = 0; round < 20; round++) {
		readings(5000000, true, &state);
		cr_assert_geq(c.eras.cnt, STEP_CNT);
		for (size_t i = 0; i <= STEP_CNT; i++)
			cr_expect(was_read[i]);
		cr_expect_geq(check_moments(&state), 2000);
		check_windows(&state);
		kp_clock_done(&c);
	}
}

/* A recorder that was stopped for a while reads less often: the bound grows, it is never wrong. */
Test(clock, a_recorder_that_reads_late_is_unsure_not_wrong)
{
	uint64_t state = 2;

	for (int round = 0; round < 20; round++) {
		readings(900000000, false, &state);
		check_moments(&state);
		check_windows(&state);
		kp_clock_done(&c);
	}
}

Test(clock, a_clock_set_too_often_is_refused)
{
	int r = 0;

	for (uint64_t i = 1; i < 40000 && r == 0; i++)
		r = kp_clock_add(&c, (struct kp_clock_reading){i * S, EPOCH + i % 2 * S, 100, 0});
	cr_expect_eq(r, -EOVERFLOW);
	kp_clock_done(&c);
}

/* What a log claims must not overflow anything. */
Test(clock, absurd_readings_are_ignored)
{
	const uint64_t absurd[] = {UINT64_MAX, INT64_MAX, UINT64_MAX / 7};

	for (size_t i = 0; i < 3; i++) {
		kp_clock_add(&c, (struct kp_clock_reading){absurd[i], EPOCH, 0, 0});
		kp_clock_add(&c, (struct kp_clock_reading){S, absurd[i], 0, 0});
		kp_clock_add(&c, (struct kp_clock_reading){S, EPOCH, absurd[i], 0});
		kp_clock_add(&c, (struct kp_clock_reading){S, EPOCH, 0, absurd[i]});
	}
	cr_expect_eq(c.eras.cnt, 0);
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
	struct kp_log_filter own = {.streams = KP_LOG_OWN};
	struct kp_log_reader *reader;
	uint64_t rnd = 1, time_ns = 10 * S;
	struct kp_err err = {""};

	append_clock(writer, 10 * S, EPOCH);
	fixture_append(writer, 0, 100, &time_ns, &rnd, NULL);
	append_clock(writer, 11 * S, EPOCH + 61 * S); /* set a minute forward */
	fixture_append(writer, 1 | KP_STREAM_LIFE, 100, &time_ns, &rnd, NULL);
	fixture_close(writer);
	cr_assert_eq(kp_clock_read(fixture_dir, &c, &err), 0, "%s", err.text);
	cr_expect_eq(c.eras.cnt, 2);
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
