/* SPDX-License-Identifier: MIT
 *
 * The demo's culprit: a batch job with a priority that it should not have.
 *
 *   risk-batch CPU FILE LEN MILLISECONDS
 *
 * It is bound to the ledger's CPU and has real-time priority (SCHED_FIFO), so that it runs as soon
 * as it is woken and until it sleeps. inotify wakes it at each write to FILE; when FILE has grown
 * to LEN bytes it computes once for that long. As the wake happens within the ledger's own write,
 * the delay falls inside one known payment: between its write and its fdatasync. A job of normal
 * priority would share the CPU fairly and delay the ledger by a few milliseconds only.
 */
#include <err.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t begin = cpu_ns();
	volatile double risk = 1;

	while (cpu_ns() - begin < ns)
		for (int i = 1; i < 1000; i++)
			risk = risk * 1.0000001 + 1.0 / i;
}

static void take_cpu(int cpu)
{
	const struct sched_param param = {.sched_priority = 10};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "cannot bind to CPU %d", cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		err(1, "cannot have real-time priority");
}

int main(int argc, char **argv)
{
	char events[4096];
	struct stat st = {0};
	off_t len;
	int fd;

	if (argc != 5)
		errx(2, "usage: risk-batch CPU FILE LEN MILLISECONDS");
	len = atoll(argv[3]);
	prctl(PR_SET_NAME, "risk-batch");
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0 || inotify_add_watch(fd, argv[2], IN_MODIFY) < 0)
		err(1, "cannot watch %s", argv[2]);
	take_cpu(atoi(argv[1]));
	printf("ready\n");
	fflush(stdout);
	do {
		if (read(fd, events, sizeof(events)) <= 0 || stat(argv[2], &st) < 0)
			err(1, "%s", argv[2]);
	} while (st.st_size < len);
	burn((uint64_t)atoll(argv[4]) * 1000000u);
	return 0;
}
