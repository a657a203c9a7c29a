/* SPDX-License-Identifier: MIT
 *
 * Sets the wall clock by -1 h, +1 h, +100 ms and -100 ms, and prints its pid and what the clocks
 * showed before, around and after that: "monotonic bracket wall" in nanoseconds, one moment a line.
 * Linked statically, for a machine that has nothing else.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* n moments, pause_ns apart. */
static void moments(int n, long pause_ns)
{
	const struct timespec pause = {.tv_nsec = pause_ns};
	uint64_t before, wall;

	while (n-- > 0) {
		before = now(CLOCK_MONOTONIC);
		wall = now(CLOCK_REALTIME);
		printf("%llu %llu %llu\n", (unsigned long long)before,
		       (unsigned long long)(now(CLOCK_MONOTONIC) - before),
		       (unsigned long long)wall);
		if (pause_ns)
			nanosleep(&pause, NULL);
	}
}

static void set_clock(long seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += seconds;
	if (clock_settime(CLOCK_REALTIME, &ts) < 0)
		exit(1);
}

/* nanoseconds below zero are -1 s and the rest. */
static void shift_clock(long ns)
{
	struct timex timex = {.modes = ADJ_SETOFFSET | ADJ_NANO,
			      .time = {ns < 0 ? -1 : 0, ns < 0 ? ns + 1000000000 : ns}};

	if (adjtimex(&timex) < 0)
		exit(1);
}

int main(void)
{
	const struct {
		void (*set)(long);
		long by;
	} steps[] = {{set_clock, -3600},
		     {set_clock, 3600},
		     {shift_clock, 100000000},
		     {shift_clock, -100000000}};

	printf("%d\n", getpid());
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		moments(60, 5000000);
		moments(40, 0);
		steps[i].set(steps[i].by);
		moments(40, 0);
		moments(150, 5000000);
	}
	return 0;
}
