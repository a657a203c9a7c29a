/* SPDX-License-Identifier: MIT
 * POSIX timers whose signals come while it computes or waits.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static volatile sig_atomic_t fired, value;

static void on_timer(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	fired++;
	value = si->si_value.sival_int;
}

int main(void)
{
	struct sigaction a = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	struct sigevent e = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 88};
	struct itimerspec t = {{0, 3000000}, {0, 2000000}}, left;
	timer_t id = 0;

	TRY(sigaction(SIGRTMIN, &a, NULL));
	TRY(timer_create(CLOCK_MONOTONIC, &e, &id));
	TRY(timer_settime(id, 0, &t, NULL));
	while (fired < 3)
		pause();
	TRY(timer_gettime(id, &left));
	printf("%ld.%09ld\n", (long)left.it_value.tv_sec, left.it_value.tv_nsec);
	TRY(timer_getoverrun(id));
	TRY(timer_delete(id));
	printf("value %d, at least three: %d\n", (int)value, fired >= 3);
	TRY(timer_delete(id));
	return 0;
}
