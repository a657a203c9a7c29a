/* SPDX-License-Identifier: MIT
 * Signals within a loop whose state is on the stack, as all variables are without optimization.
 */
#include <signal.h>
#include <sys/time.h>

#include "show.h"

static volatile int taken;

static void on_alarm(int sig)
{
	taken += sig > 0;
}

int main(void)
{
	struct itimerval often = {{0, 3000}, {0, 3000}};
	volatile unsigned rounds = 0, at[2] = {0};

	signal(SIGALRM, on_alarm);
	TRY(setitimer(ITIMER_REAL, &often, NULL));
	for (int last = 0; last < 2;) {
		__asm__ volatile(
			"incl %0\n\tmovl $100, %%ecx\n1:\tpause\n\tloop 1b\n\txorl %%eax, %%eax"
			: "+m"(rounds)
			:
			: "rax", "rcx", "cc");
		if (taken > last)
			at[last++] = rounds;
	}
	often = (struct itimerval){0};
	TRY(setitimer(ITIMER_REAL, &often, NULL));
	printf("at: %u %u\n", at[0], at[1]);
	return 0;
}
