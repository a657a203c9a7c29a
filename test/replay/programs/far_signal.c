/* SPDX-License-Identifier: MIT
 * A signal in the millionth round of a loop: it is not found in time.
 */
#include <signal.h>
#include <sys/time.h>

#include "show.h"

static volatile sig_atomic_t came;

static void on_alarm(int sig)
{
	came = sig;
}

int main(void)
{
	struct itimerval soon = {.it_value.tv_usec = 300000};
	register unsigned long rounds = 0;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!came)
		__asm__ volatile("inc %0" : "+r"(rounds));
	return rounds == 0;
}
