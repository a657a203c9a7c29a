/* SPDX-License-Identifier: MIT
 *
 * clock_moments LOG: reads "monotonic bracket wall" lines as test/vm/steps.c prints them, and
 * checks that the log's clock finds each of these wall times, and both ends of windows between
 * them, within the bound that it states.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "log/clock.h"

struct truth {
	uint64_t from_ns, to_ns; /* the wall clock was read in between, CLOCK_MONOTONIC */
	uint64_t wall_ns;
};

static KP_VEC(struct truth) truths;
static unsigned wrong, fits[KP_CLOCK_UNREAD + 1];
static uint64_t worst_once_ns;

/* How far t lies outside of when the clock was read. */
static uint64_t off(const struct truth *truth, uint64_t t)
{
	return t < truth->from_ns ? truth->from_ns - t : t > truth->to_ns ? t - truth->to_ns : 0;
}

static void check(const char *what, const struct truth *truth, const struct kp_clock_moment *m)
{
	uint64_t error = off(truth, m->time_ns);

	if (error <= m->bound_ns)
		return;
	printf("%s: wall %" PRIu64 " is %" PRIu64 ", not %" PRIu64 " (bound %" PRIu64 ", fit %d)\n",
	       what, truth->wall_ns, truth->from_ns, m->time_ns, m->bound_ns, m->fit);
	wrong++;
}

static void check_moments(const struct kp_clock *clock)
{
	struct kp_clock_moment m;

	for (uint32_t i = 0; i < truths.cnt; i++) {
		m = kp_clock_find(clock, truths.at[i].wall_ns);
		check("moment", &truths.at[i], &m);
		fits[m.fit]++;
		if (m.fit == KP_CLOCK_ONCE && m.bound_ns > worst_once_ns)
			worst_once_ns = m.bound_ns;
	}
}

static void check_windows(const struct kp_clock *clock)
{
	struct kp_clock_moment ends[2];
	const struct truth *a, *b;

	for (uint32_t i = 0; i < truths.cnt; i++) {
		a = &truths.at[i];
		b = &truths.at[i + 1 + i % 45 < truths.cnt ? i + 1 + i % 45 : truths.cnt - 1];
		if (!kp_clock_window(clock, a->wall_ns, b->wall_ns, ends)) {
			printf("window %" PRIu64 " to %" PRIu64 " has no order\n", a->wall_ns,
			       b->wall_ns);
			wrong++;
			continue;
		}
		check("begin", a, &ends[0]);
		check("end", b, &ends[1]);
	}
}

static void read_truths(void)
{
	struct truth t;
	uint64_t bracket;

	while (scanf("%" SCNu64 " %" SCNu64 " %" SCNu64, &t.from_ns, &bracket, &t.wall_ns) == 3) {
		t.to_ns = t.from_ns + bracket;
		if (KP_VEC_PUSH(&truths, t) < 0)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	struct kp_clock clock = {0};
	struct kp_err err = {""};

	if (argc != 2 || kp_clock_read(argv[1], &clock, &err) < 0) {
		fprintf(stderr, "clock_moments: %s\n", argc == 2 ? err.text : "one log");
		return 2;
	}
	read_truths();
	check_moments(&clock);
	check_windows(&clock);
	printf("%u moments and as many windows, %u eras: %u wrong; %u moments once (bound at most "
	       "%" PRIu64 " ns), %u twice, %u never, %u unread\n",
	       truths.cnt, clock.eras.cnt, wrong, fits[KP_CLOCK_ONCE], worst_once_ns,
	       fits[KP_CLOCK_TWICE], fits[KP_CLOCK_NEVER], fits[KP_CLOCK_UNREAD]);
	/* An answer that is never sure would be worth nothing. */
	if (truths.cnt < 1000 || fits[KP_CLOCK_ONCE] < truths.cnt / 2 || worst_once_ns > 1000000 ||
	    clock.eras.cnt != 5)
		wrong++;
	KP_VEC_DONE(&truths);
	kp_clock_done(&clock);
	return wrong != 0;
}
