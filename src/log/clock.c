/* SPDX-License-Identifier: MIT
 * Wall clock and monotonic clock; see clock.h.
 *
 * An era keeps the interval in which the difference must lie by all its readings together, so that
 * the narrowest of them decides. Its own time ends half a bracket before the middle of its last
 * reading and begins half a bracket behind that of its first: where within a reading the wall clock
 * was read is not known. Between two eras either of them may hold.
 */
#include "log/clock.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limit.h"
#include "base/num.h"
#include "log/reader.h"

/* The clocks are rounded one by one. */
#define ROUNDING_NS 10
/* The recorder reads the clocks each second: so far its readings hold around them. */
#define EDGE_NS 2000000000ull
/* No reading is later or took longer (as a log may claim): sums of two stay far from overflow. */
#define TIME_MAX_NS (UINT64_MAX / 8)
/* What the header of a segment says was read one after the other, not together. */
#define HEADER_BRACKET_NS 1000000

static struct kp_clock_era era_of(const struct kp_clock_reading *r)
{
	int64_t offset = (int64_t)(r->realtime_ns - r->time_ns);
	int64_t half = (int64_t)(r->bracket_ns + 1) / 2;

	return (struct kp_clock_era){
		.from_ns = r->time_ns + (uint64_t)half,
		.to_ns = r->time_ns > (uint64_t)half ? r->time_ns - (uint64_t)half : 0,
		.min_ns = offset - half - ROUNDING_NS,
		.max_ns = offset + half + ROUNDING_NS,
		.boot_ns =
			r->boottime_ns ? (int64_t)(r->boottime_ns - r->time_ns) : KP_CLOCK_NO_BOOT,
	};
}

static bool agree(const struct kp_clock_era *a, const struct kp_clock_era *b)
{
	return a->min_ns <= b->max_ns && b->min_ns <= a->max_ns;
}

bool kp_clock_is_step(const struct kp_clock_reading *a, const struct kp_clock_reading *b)
{
	struct kp_clock_era x = era_of(a), y = era_of(b);

	return !agree(&x, &y);
}

/* Whether the reading is of the last era, and then takes it in. */
static bool narrow(struct kp_clock_era *last, const struct kp_clock_era *new)
{
	if (!agree(last, new))
		return false;
	last->to_ns = new->to_ns;
	if (new->min_ns > last->min_ns)
		last->min_ns = new->min_ns;
	if (new->max_ns < last->max_ns)
		last->max_ns = new->max_ns;
	return true;
}

int kp_clock_add(struct kp_clock *clock, struct kp_clock_reading reading)
{
	uint32_t n = clock->eras.cnt;
	struct kp_clock_era new;

	if (reading.time_ns > TIME_MAX_NS || reading.realtime_ns > TIME_MAX_NS ||
	    reading.bracket_ns > TIME_MAX_NS || reading.boottime_ns > TIME_MAX_NS)
		return 0;
	new = era_of(&reading);
	if (n > 0 && (new.to_ns < clock->eras.at[n - 1].to_ns ||
		      new.from_ns < clock->eras.at[n - 1].from_ns))
		return 0;
	if (n > 0 && narrow(&clock->eras.at[n - 1], &new))
		return 0;
	return n == KP_MAX_CLOCK_SETS ? -EOVERFLOW : KP_VEC_PUSH(&clock->eras, new);
}

static int add_or_say(struct kp_clock *clock, struct kp_clock_reading reading, struct kp_err *err)
{
	int r = kp_clock_add(clock, reading);

	if (r == -EOVERFLOW)
		return kp_err_set(
			err, -EBADMSG,
			"the wall clock was set more than %d times by this log: its times "
			"cannot be told from one another",
			KP_MAX_CLOCK_SETS);
	return r < 0 ? kp_err_set(err, r, "out of memory") : 0;
}

static int add_events(struct kp_log_reader *reader, struct kp_clock *clock, struct kp_err *err)
{
	const struct kp_log_info *info;
	const struct kp_ev_clock *e;
	const struct kp_hdr *event;
	int r;

	while ((r = kp_log_next(reader, &event, err)) > 0) {
		e = (const struct kp_ev_clock *)event;
		r = add_or_say(clock,
			       (struct kp_clock_reading){event->time_ns, e->realtime_ns,
							 e->bracket_ns, e->boottime_ns},
			       err);
		if (r < 0)
			return r;
	}
	info = kp_log_get_info(reader);
	clock->gap_cnt += info->gap_cnt;
	if (r == 0 && !clock->eras.cnt && info->start_time_ns)
		r = add_or_say(clock,
			       (struct kp_clock_reading){info->start_time_ns,
							 info->start_realtime_ns, HEADER_BRACKET_NS,
							 0},
			       err);
	return r;
}

int kp_clock_read(const char *path, struct kp_clock *clock, struct kp_err *err)
{
	const struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_clock), .streams = KP_LOG_OWN};
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
	KP_VEC_DONE(&clock->eras);
}

/* --- from one clock to the other --- */

/* Wall minus monotonic, and how far that can be off. */
static int64_t offset_of(const struct kp_clock_era *era)
{
	return era->min_ns + (era->max_ns - era->min_ns) / 2;
}

static uint64_t doubt_of(const struct kp_clock_era *era)
{
	return (uint64_t)(era->max_ns - era->min_ns + 1) / 2;
}

/* When the wall clock showed realtime_ns, if era k had lasted for ever; 0: before the boot. */
static uint64_t mono_in(const struct kp_clock *clock, uint32_t k, uint64_t realtime_ns)
{
	int64_t offset = offset_of(&clock->eras.at[k]);

	return offset > 0 && realtime_ns < (uint64_t)offset ? 0 : realtime_ns - (uint64_t)offset;
}

/* Whether the wall clock may have shown realtime_ns in era k. */
static bool shown_in(const struct kp_clock *clock, uint32_t k, uint64_t realtime_ns)
{
	const struct kp_clock_era *era = &clock->eras.at[k];
	uint64_t t = mono_in(clock, k, realtime_ns), doubt = doubt_of(era);
	uint64_t lo = k ? era[-1].to_ns : era->from_ns > EDGE_NS ? era->from_ns - EDGE_NS : 0;
	uint64_t hi = k + 1 < clock->eras.cnt ? era[1].from_ns : era->to_ns + EDGE_NS;

	return t + doubt >= lo && t <= hi + doubt;
}

/* The era between first and last that set the clock back furthest. */
static uint32_t step_back(const struct kp_clock *clock, uint32_t first, uint32_t last)
{
	int64_t change, most = INT64_MAX;
	uint32_t step = last;

	for (uint32_t k = first + 1; k <= last; k++) {
		change = offset_of(&clock->eras.at[k]) - offset_of(&clock->eras.at[k - 1]);
		if (change < most) {
			most = change;
			step = k;
		}
	}
	return step;
}

/* The moment in era k, with what other eras say of it. */
static struct kp_clock_moment moment_in(const struct kp_clock *clock, uint32_t k,
					uint64_t realtime_ns)
{
	struct kp_clock_moment m = {.time_ns = mono_in(clock, k, realtime_ns), .era = k};
	uint32_t first = k, last = k;
	uint64_t t, away;

	m.first_ns = m.last_ns = m.time_ns;
	m.bound_ns = doubt_of(&clock->eras.at[k]);
	for (uint32_t i = 0; i < clock->eras.cnt; i++) {
		if (i == k || !shown_in(clock, i, realtime_ns))
			continue;
		t = mono_in(clock, i, realtime_ns);
		m.first_ns = t < m.first_ns ? t : m.first_ns;
		m.last_ns = t > m.last_ns ? t : m.last_ns;
		away = kp_apart64(t, m.time_ns) + doubt_of(&clock->eras.at[i]);
		m.bound_ns = away > m.bound_ns ? away : m.bound_ns;
		first = i < first ? i : first;
		last = i > last ? i : last;
	}
	if (first != last) {
		m.fit = KP_CLOCK_TWICE;
		m.step = step_back(clock, first, last);
	}
	return m;
}

/* The moment of the step that left realtime_ns out, if one did. */
static bool find_skipped(const struct kp_clock *clock, uint64_t realtime_ns,
			 struct kp_clock_moment *ret_moment)
{
	const struct kp_clock_era *era;
	uint64_t before, after, t;

	for (uint32_t k = clock->eras.cnt; k-- > 1;) {
		era = &clock->eras.at[k];
		before = mono_in(clock, k - 1, realtime_ns);
		after = mono_in(clock, k, realtime_ns);
		if (before < era[-1].to_ns || after > era->from_ns)
			continue;
		t = era[-1].to_ns / 2 + era->from_ns / 2;
		*ret_moment = (struct kp_clock_moment){
			.time_ns = t,
			.first_ns = era[-1].to_ns,
			.last_ns = era->from_ns,
			.bound_ns = kp_apart64(before, t) > kp_apart64(after, t)
					    ? kp_apart64(before, t)
					    : kp_apart64(after, t),
			.era = k,
			.step = k,
			.fit = KP_CLOCK_NEVER,
		};
		return true;
	}
	return false;
}

/* Before or behind all readings. */
static struct kp_clock_moment outside(const struct kp_clock *clock, uint64_t realtime_ns)
{
	uint32_t last = clock->eras.cnt - 1;
	const struct kp_clock_era *era = &clock->eras.at[last];
	bool behind = mono_in(clock, last, realtime_ns) > era->to_ns;
	struct kp_clock_moment m = moment_in(clock, behind ? last : 0, realtime_ns);

	era = &clock->eras.at[m.era];
	m.bound_ns += kp_apart64(m.time_ns, behind ? era->to_ns : era->from_ns);
	m.fit = KP_CLOCK_UNREAD;
	return m;
}

struct kp_clock_moment kp_clock_find(const struct kp_clock *clock, uint64_t realtime_ns)
{
	struct kp_clock_moment m = {
		.time_ns = realtime_ns, .first_ns = realtime_ns, .last_ns = realtime_ns};

	if (!clock->eras.cnt)
		return m;
	for (uint32_t k = clock->eras.cnt; k-- > 0;)
		if (shown_in(clock, k, realtime_ns))
			return moment_in(clock, k, realtime_ns);
	if (find_skipped(clock, realtime_ns, &m))
		return m;
	return outside(clock, realtime_ns);
}

bool kp_clock_window_in(const struct kp_clock *clock, uint32_t k, uint64_t from_realtime_ns,
			uint64_t to_realtime_ns, struct kp_clock_moment ret_ends[2])
{
	if (from_realtime_ns > to_realtime_ns || !shown_in(clock, k, from_realtime_ns) ||
	    !shown_in(clock, k, to_realtime_ns))
		return false;
	ret_ends[0] = moment_in(clock, k, from_realtime_ns);
	ret_ends[1] = moment_in(clock, k, to_realtime_ns);
	return true;
}

bool kp_clock_window(const struct kp_clock *clock, uint64_t from_realtime_ns,
		     uint64_t to_realtime_ns, struct kp_clock_moment ret_ends[2])
{
	uint32_t n = clock->eras.cnt, to = n;

	for (uint32_t k = n; k-- > 0;) {
		if (kp_clock_window_in(clock, k, from_realtime_ns, to_realtime_ns, ret_ends))
			return true;
		if (to == n && shown_in(clock, k, to_realtime_ns))
			to = k;
	}
	ret_ends[0] = kp_clock_find(clock, from_realtime_ns);
	ret_ends[1] = kp_clock_find(clock, to_realtime_ns);
	/* Across a step: the begin's era comes before the end's. */
	for (uint32_t k = to < n ? to : 0; k-- > 0;) {
		if (!shown_in(clock, k, from_realtime_ns))
			continue;
		ret_ends[0] = moment_in(clock, k, from_realtime_ns);
		ret_ends[1] = moment_in(clock, to, to_realtime_ns);
		break;
	}
	return ret_ends[0].time_ns <= ret_ends[1].time_ns;
}

uint64_t kp_clock_to_mono(const struct kp_clock *clock, uint64_t realtime_ns)
{
	return kp_clock_find(clock, realtime_ns).time_ns;
}

/* The last era that had begun at time_ns, or the first. */
static uint32_t era_at(const struct kp_clock *clock, uint64_t time_ns)
{
	uint32_t lo = 0, hi = clock->eras.cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (clock->eras.at[mid].from_ns <= time_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : 0;
}

uint64_t kp_clock_to_real(const struct kp_clock *clock, uint64_t time_ns)
{
	if (!clock->eras.cnt)
		return time_ns;
	return time_ns + (uint64_t)offset_of(&clock->eras.at[era_at(clock, time_ns)]);
}

uint64_t kp_clock_bound(const struct kp_clock *clock, uint64_t time_ns)
{
	const struct kp_clock_era *era;
	uint64_t bound;
	uint32_t k;

	if (!clock->eras.cnt)
		return 0;
	k = era_at(clock, time_ns);
	era = &clock->eras.at[k];
	bound = doubt_of(era);
	if (k + 1 < clock->eras.cnt && time_ns > era->to_ns)
		bound += (uint64_t)llabs(offset_of(era + 1) - offset_of(era));
	return bound;
}

/* --- in words --- */

/* How long the machine slept before era k; 0: it did not, the clock was set. */
static uint64_t slept_ns(const struct kp_clock *clock, uint32_t k)
{
	const struct kp_clock_era *era = &clock->eras.at[k];
	int64_t change = offset_of(era) - offset_of(era - 1), slept;

	if (era->boot_ns == KP_CLOCK_NO_BOOT || era[-1].boot_ns == KP_CLOCK_NO_BOOT)
		return 0;
	slept = era->boot_ns - era[-1].boot_ns;
	/* What is left may be the RTC's coarseness, by which the time asleep is known. */
	return slept > 1000000 && llabs(change - slept) <= slept / 2 ? (uint64_t)slept : 0;
}

static void put_seconds(uint64_t ns, struct kp_buf *out)
{
	kp_buf_printf(out, "%" PRIu64 ".%06" PRIu64 " s", ns / 1000000000, ns % 1000000000 / 1000);
}

void kp_clock_explain(const struct kp_clock *clock, const struct kp_clock_moment *moment,
		      struct kp_buf *out)
{
	const struct kp_clock_era *era;
	int64_t change;
	uint64_t slept;

	if (moment->fit == KP_CLOCK_UNREAD)
		kp_buf_puts(out, "the clock was not read at this time, which is taken as if it had "
				 "not been set since the nearest reading");
	if (moment->fit == KP_CLOCK_ONCE || moment->fit == KP_CLOCK_UNREAD)
		return;
	era = &clock->eras.at[moment->step];
	change = offset_of(era) - offset_of(era - 1);
	slept = slept_ns(clock, moment->step);
	kp_buf_puts(out, slept        ? "the machine slept for "
			 : change < 0 ? "the clock was set back by "
				      : "the clock was set forward by ");
	put_seconds(slept ? slept : (uint64_t)llabs(change), out);
	kp_buf_puts(out, " at ");
	kp_clock_put_wall(era[-1].to_ns + (uint64_t)offset_of(era - 1), out);
	if (moment->fit == KP_CLOCK_NEVER) {
		kp_buf_puts(out, " over this time, which never was; the moment of that is taken");
		return;
	}
	kp_buf_puts(out, ": it showed this time twice, ");
	put_seconds(moment->last_ns - moment->first_ns, out);
	kp_buf_printf(out, " apart; the %s is taken",
		      moment->time_ns == moment->last_ns ? "later" : "earlier");
}
