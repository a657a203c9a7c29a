/* SPDX-License-Identifier: MIT
 * A signal within a loop whose state is in memory only: every round has the same registers, so that
 * replay cannot know in which one it came. It must not say that the program differs.
 */
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "show.h"

static volatile unsigned long rounds;
static volatile int over;

static const struct itimerval soon = {.it_value.tv_usec = 3000};

/* On a busy machine the first may come before the loop, where replay does know. */
static void on_alarm(int sig)
{
	if (rounds < 1000)
		TRY(setitimer(ITIMER_REAL, &soon, NULL));
	else
		over = sig;
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	TRY(setitimer(ITIMER_REAL, &soon, NULL));
	while (!over)
		__asm__ volatile(
			"incq %0\n\tmovl $100, %%ecx\n1:\tpause\n\tloop 1b\n\txorl %%eax, %%eax"
			: "+m"(rounds)
			:
			: "rax", "rcx", "cc");
	printf("rounds: %lu\n", rounds);
	return 0;
}
