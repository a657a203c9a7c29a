/* SPDX-License-Identifier: MIT
 * Policies, priorities, affinity, groups of I/O.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct sched_param param = {0};
	struct timespec slice;
	unsigned char attr[48] = {48};
	cpu_set_t set;

	TRY(sched_getscheduler(0));
	TRY(sched_setscheduler(0, SCHED_BATCH, &param));
	TRY(sched_getparam(0, &param));
	TRY(sched_rr_get_interval(0, &slice));
	printf("%ld\n", slice.tv_nsec);
	TRY(syscall(SYS_sched_getattr, 0, attr, sizeof attr, 0));
	hex("attr", attr, sizeof attr);
	TRY(setpriority(PRIO_PROCESS, 0, 5));
	TRY(getpriority(PRIO_PROCESS, 0));
	TRY(syscall(SYS_ioprio_get, 1, 0));
	TRY(sched_getaffinity(0, sizeof set, &set));
	printf("cpus: %d\n", CPU_COUNT(&set));
	TRY(syscall(SYS_sched_getaffinity, 0, 8, &set));
	TRY(sched_yield());
	TRY(syscall(SYS_membarrier, 0, 0, 0) >= 0);
	TRY(getpgid(0) > 0);
	TRY(setsid());
	return 0;
}
