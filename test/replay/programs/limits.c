/* SPDX-License-Identifier: MIT
 * Limits, use of resources, and the system's own description.
 */
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct rlimit l = {0};
	struct rusage u;
	struct sysinfo si;
	struct utsname un;

	for (int i = 0; i < 17; i++)
		if (TRY(getrlimit(i, &l)) == 0)
			printf("limit %d: %lx %lx\n", i, (long)l.rlim_cur, (long)l.rlim_max);
	l = (struct rlimit){100, 200};
	TRY(prlimit(0, RLIMIT_NOFILE, &l, &l));
	printf("%lx\n", (long)l.rlim_cur);
	TRY(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
	TRY(getrusage(RUSAGE_SELF, &u));
	printf("utime %ld.%06ld maxrss %ld minflt %ld nvcsw %ld\n", (long)u.ru_utime.tv_sec,
	       (long)u.ru_utime.tv_usec, u.ru_maxrss, u.ru_minflt, u.ru_nvcsw);
	TRY(sysinfo(&si));
	printf("uptime %ld load %lu free %lu procs %u\n", si.uptime, si.loads[0], si.freeram,
	       si.procs);
	TRY(uname(&un));
	printf("%s %s %s %s %s\n", un.sysname, un.nodename, un.release, un.version, un.machine);
	printf("%ld %ld %ld\n", sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_PHYS_PAGES),
	       sysconf(_SC_OPEN_MAX));
	return 0;
}
