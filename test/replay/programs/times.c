/* SPDX-License-Identifier: MIT
 * Clocks, timers, what time was used.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct timespec now, resolution;
	struct rusage usage;
	struct timex timex = {0};
	struct tms tms;
	struct itimerval timer;

	for (int clock = 0; clock < 12; clock++)
		if (!syscall(SYS_clock_gettime, clock, &now) && !clock_getres(clock, &resolution))
			printf("%d: %ld.%09ld by %ld\n", clock, (long)now.tv_sec, now.tv_nsec,
			       resolution.tv_nsec);
	TRY(times(&tms) != -1);
	printf("%ld %ld\n", (long)tms.tms_utime, (long)tms.tms_stime);
	TRY(getrusage(RUSAGE_SELF, &usage));
	hex("usage", &usage, sizeof usage);
	TRY(adjtimex(&timex) >= 0);
	printf("frequency: %ld\n", timex.freq);
	TRY(getitimer(ITIMER_PROF, &timer));
	TRY(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){1, 0}, NULL));
	TRY(syscall(SYS_getcpu, NULL, NULL, NULL));
	return 0;
}
