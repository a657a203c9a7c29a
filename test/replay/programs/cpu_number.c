/* SPDX-License-Identifier: MIT
 * The number of the CPU without a system call: by rdpid's predecessor, lsl of the kernel's segment.
 */
#include <sched.h>
#include <unistd.h>

#include "show.h"

static unsigned cpu_by_lsl(void)
{
	unsigned number = 0;

	__asm__ volatile("lsl %1, %0" : "=r"(number) : "r"(0x7bu) : "cc");
	return number & 0xfff;
}

int main(void)
{
	cpu_set_t one;

	for (int cpu = 3; cpu >= 0; cpu--) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof one, &one))
			continue;
		TRY(getpid() > 0);
		printf("cpu: %u\n", cpu_by_lsl());
	}
	return 0;
}
