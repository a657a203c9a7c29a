/* SPDX-License-Identifier: MIT
 * Time by system calls.
 */
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t;
	struct timeval tv;
	struct timezone tz;
	struct tms tms;
	struct timex tx = {0};
	time_t now = 0;

	TRY(syscall(SYS_clock_gettime, CLOCK_REALTIME, &t));
	printf("%ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	TRY(syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &t));
	printf("%ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	TRY(syscall(SYS_gettimeofday, &tv, &tz));
	printf("%ld.%06ld %d\n", (long)tv.tv_sec, (long)tv.tv_usec, tz.tz_minuteswest);
	TRY(syscall(SYS_time, &now));
	printf("%ld\n", (long)now);
	TRY(syscall(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &t));
	printf("%ld\n", t.tv_nsec);
	TRY(times(&tms));
	printf("%ld %ld\n", (long)tms.tms_utime, (long)tms.tms_stime);
	TRY(adjtimex(&tx));
	printf("%ld %ld %d %ld\n", tx.offset, tx.freq, tx.status, tx.time.tv_usec);
	TRY(clock_adjtime(CLOCK_REALTIME, &tx));
	TRY(syscall(SYS_clock_gettime, 99, &t));
	return 0;
}
