/* SPDX-License-Identifier: MIT
 * timerfd: set, get, expire.
 */
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct itimerspec t = {{0, 2000000}, {0, 1000000}}, old;
	uint64_t n = 0;
	int fd = TRY(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	TRY(timerfd_settime(fd, 0, &t, NULL));
	TRY(read(fd, &n, 8));
	printf("expired %lu\n", (unsigned long)n);
	usleep(9000);
	TRY(read(fd, &n, 8));
	printf("expired %lu\n", (unsigned long)n);
	TRY(timerfd_gettime(fd, &old));
	printf("%ld.%09ld %ld.%09ld\n", old.it_value.tv_sec, old.it_value.tv_nsec,
	       old.it_interval.tv_sec, old.it_interval.tv_nsec);
	memset(&t, 0, sizeof(t));
	TRY(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, &old));
	printf("%ld.%09ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
	return 0;
}
