/* SPDX-License-Identifier: MIT
 * On which CPU it runs, asked again and again.
 */
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	unsigned cpu = 99, node = 99;
	struct timespec t = {0, 1000000};

	for (int i = 0; i < 20; i++) {
		printf("%d ", sched_getcpu());
		nanosleep(&t, NULL);
	}
	printf("\n");
	TRY(getcpu(&cpu, &node));
	printf("%u %u\n", cpu, node);
	TRY(syscall(SYS_getcpu, &cpu, NULL, NULL));
	printf("%u\n", cpu);
	TRY(syscall(SYS_membarrier, 0, 0, 0));
	return 0;
}
