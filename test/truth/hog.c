/* SPDX-License-Identifier: MIT
 *
 * Takes a CPU when told, and says when it had it.
 *
 *   hog CPU fifo|NICE      a line "MILLISECONDS" on the standard input: "begun NS", then
 *                          "ran BEGIN END BEGIN END …"
 *
 * Times are CLOCK_MONOTONIC in nanoseconds; it computes until so much of that has gone by. Between
 * two readings of the clock that are further apart than GAP_NS it did not have the CPU.
 */
#include <err.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define GAP_NS 50000

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void hog(int64_t ns)
{
	static char text[1 << 16];
	int64_t begin = now(), last = begin, end = begin + ns, t;
	size_t len = 0;

	for (; last < end; last = t) {
		t = now();
		if (t - last <= GAP_NS || len > sizeof(text) - 64)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %lld %lld",
					(long long)begin, (long long)last);
		begin = t;
	}
	printf("ran%s %lld %lld\n", text, (long long)begin, (long long)last);
	memset(text, 0, len);
}

int main(int argc, char **argv)
{
	const struct sched_param param = {.sched_priority = 10};
	char line[32];
	cpu_set_t set;

	if (argc != 3)
		errx(2, "usage: hog CPU fifo|NICE");
	prctl(PR_SET_NAME, "risk-batch");
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "CPU %s", argv[1]);
	if (strcmp(argv[2], "fifo") ? setpriority(PRIO_PROCESS, 0, atoi(argv[2]))
				    : sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "%s", argv[2]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("begun %lld\n", (long long)now());
		fflush(stdout);
		hog(atoll(line) * 1000000);
		fflush(stdout);
	}
	return 0;
}
