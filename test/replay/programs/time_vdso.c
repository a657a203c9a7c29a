/* SPDX-License-Identifier: MIT
 * Time as libc reads it, without a system call where it can.
 */
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t;
	struct timeval tv;
	struct tm tm;
	char text[64];
	time_t now;

	for (int clock = 0; clock < 12; clock++)
		if (clock_gettime(clock, &t) == 0)
			printf("clock %d: %ld.%09ld\n", clock, (long)t.tv_sec, t.tv_nsec);
		else
			printf("clock %d: %s\n", clock, strerror(errno));
	for (int i = 0; i < 1000; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	gettimeofday(&tv, NULL);
	printf("%ld.%06ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
	now = time(NULL);
	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%F %T %Z", &tm);
	printf("%s %ld\n", text, (long)clock());
	return 0;
}
