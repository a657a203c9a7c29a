/* SPDX-License-Identifier: MIT
 * Wall clock and monotonic clock; see clock.h.
 */
#include "log/clock.h"

#include <stdbool.h>

#include "log/reader.h"

/* adjtimex(2) slews by at most 500 ppm; ten times that leaves room for a bad oscillator. */
#define SLEW_PPM 5000
/* Drift that is assumed away from readings. */
#define DRIFT_PPM 50

int kp_clock_add(struct kp_clock *clock, struct kp_clock_reading reading)
{
	uint32_t n = clock->readings.cnt;

	if (n > 0 && reading.time_ns <= clock->readings.at[n - 1].time_ns)
		return 0;
	return KP_VEC_PUSH(&clock->readings, reading);
}

static int add_events(struct kp_log_reader *reader, struct kp_clock *clock, struct kp_err *err)
{
	const struct kp_log_info *info;
	const struct kp_ev_clock *e;
	const struct kp_hdr *event;
	int r;

	while ((r = kp_log_next(reader, &event, err)) > 0) {
		e = (const struct kp_ev_clock *)event;
		if (kp_clock_add(clock, (struct kp_clock_reading){event->time_ns, e->realtime_ns,
								  e->bracket_ns}) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	info = kp_log_get_info(reader);
	if (!clock->readings.cnt && info->start_time_ns &&
	    kp_clock_add(clock, (struct kp_clock_reading){info->start_time_ns,
							  info->start_realtime_ns, 0}) < 0)
		return kp_err_set(err, -ENOMEM, "out of memory");
	return r;
}

int kp_clock_read(const char *path, struct kp_clock *clock, struct kp_err *err)
{
	const struct kp_log_filter filter = {.kinds = 1ull << KP_EV_clock, .own = true};
	struct kp_log_reader *reader;
	int r = kp_log_open(path, &filter, &reader, err);

	if (r < 0)
		return r;
	r = add_events(reader, clock, err);
	kp_log_reader_free(reader);
	return r;
}

void kp_clock_done(struct kp_clock *clock)
{
	KP_VEC_DONE(&clock->readings);
}

/* Wall minus monotonic. */
static int64_t offset_of(const struct kp_clock_reading *r)
{
	return (int64_t)(r->realtime_ns - r->time_ns);
}

/* The monotonic time at which the wall clock, ahead by offset, showed realtime_ns; 0: before the
 * boot. */
static uint64_t minus(uint64_t realtime_ns, int64_t offset)
{
	return offset > 0 && realtime_ns < (uint64_t)offset ? 0 : realtime_ns - (uint64_t)offset;
}

/* Whether the clock was set between readings i and i + 1. */
static bool is_step(const struct kp_clock *clock, uint32_t i)
{
	const struct kp_clock_reading *a = &clock->readings.at[i], *b = a + 1;
	uint64_t change = (uint64_t)llabs(offset_of(b) - offset_of(a));

	return change > (b->time_ns - a->time_ns) / 1000000 * SLEW_PPM + a->bracket_ns +
				b->bracket_ns + 10000;
}

/* The difference at time_ns, by reading i (the last at or before it) and its successor. */
static int64_t offset_at(const struct kp_clock *clock, uint32_t i, uint64_t time_ns)
{
	const struct kp_clock_reading *a = &clock->readings.at[i], *b = a + 1;
	double part;

	if (i + 1 >= clock->readings.cnt || time_ns <= a->time_ns || is_step(clock, i))
		return offset_of(a);
	part = (double)(time_ns - a->time_ns) / (double)(b->time_ns - a->time_ns);
	return offset_of(a) + (int64_t)((double)(offset_of(b) - offset_of(a)) * part);
}

/* Index of the last reading at or before time_ns, or the first. */
static uint32_t reading_at(const struct kp_clock *clock, uint64_t time_ns)
{
	uint32_t lo = 0, hi = clock->readings.cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (clock->readings.at[mid].time_ns <= time_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : 0;
}

uint64_t kp_clock_to_real(const struct kp_clock *clock, uint64_t time_ns)
{
	if (!clock->readings.cnt)
		return time_ns;
	return time_ns + (uint64_t)offset_at(clock, reading_at(clock, time_ns), time_ns);
}

uint64_t kp_clock_to_mono(const struct kp_clock *clock, uint64_t realtime_ns)
{
	uint32_t i = clock->readings.cnt;
	uint64_t guess;

	if (!i)
		return realtime_ns;
	while (i > 1 && clock->readings.at[i - 1].realtime_ns > realtime_ns)
		i--;
	i--;
	/* The difference depends on the monotonic time, which is known up to the slew: once more
	 * makes it exact to a nanosecond. */
	guess = minus(realtime_ns, offset_of(&clock->readings.at[i]));
	for (int pass = 0; pass < 2; pass++)
		guess = minus(realtime_ns, offset_at(clock, i, guess));
	return guess;
}

uint64_t kp_clock_bound(const struct kp_clock *clock, uint64_t time_ns)
{
	const struct kp_clock_reading *r;
	uint64_t away;
	uint32_t i;

	if (!clock->readings.cnt)
		return 0;
	i = reading_at(clock, time_ns);
	r = &clock->readings.at[i];
	if (i + 1 < clock->readings.cnt && time_ns > r->time_ns && is_step(clock, i))
		return (uint64_t)llabs(offset_of(r + 1) - offset_of(r));
	away = time_ns > r->time_ns ? time_ns - r->time_ns : r->time_ns - time_ns;
	if (i + 1 < clock->readings.cnt && time_ns > r->time_ns && r[1].time_ns - time_ns < away)
		away = r[1].time_ns - time_ns;
	return r->bracket_ns / 2 + away / 1000000 * DRIFT_PPM;
}
