/* SPDX-License-Identifier: MIT
 * Sleeping, relative and until an instant.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t = {0, 2000000}, rem = {7, 7}, now;

	TRY(nanosleep(&t, &rem));
	printf("%ld.%09ld\n", (long)rem.tv_sec, rem.tv_nsec);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += 3000000;
	if (now.tv_nsec >= 1000000000) {
		now.tv_nsec -= 1000000000;
		now.tv_sec++;
	}
	TRY(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
	TRY(clock_nanosleep(CLOCK_REALTIME, 0, &t, &rem));
	t.tv_nsec = -1;
	TRY(nanosleep(&t, NULL));
	TRY(usleep(500));
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	return 0;
}
