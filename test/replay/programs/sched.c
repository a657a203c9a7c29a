/* SPDX-License-Identifier: MIT
 * The scheduler's knobs.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct sched_param sp = {0};
	struct timespec t;
	unsigned char attr[64] = {0};
	cpu_set_t set;

	TRY(sched_getaffinity(0, sizeof(set), &set));
	hex("cpus", &set, 8);
	TRY(CPU_COUNT(&set));
	TRY(sched_setaffinity(0, sizeof(set), &set));
	TRY(sched_getscheduler(0));
	TRY(sched_getparam(0, &sp));
	TRY(sched_get_priority_max(SCHED_FIFO));
	TRY(sched_rr_get_interval(0, &t));
	printf("%ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	TRY(syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0));
	hex("attr", attr, 48);
	TRY(getpriority(PRIO_PROCESS, 0));
	TRY(setpriority(PRIO_PROCESS, 0, 5));
	TRY(getpriority(PRIO_PROCESS, 0));
	TRY(nice(1));
	TRY(sched_yield());
	TRY(sched_setscheduler(0, SCHED_BATCH, &sp));
	TRY(syscall(SYS_ioprio_get, 1, 0));
	return 0;
}
