/* SPDX-License-Identifier: MIT
 *
 * How much `kprobe record` bears, and what it costs:
 *
 *   rate   a program on CPU 0 that makes nothing but system calls (getppid), with `-e syscall` one
 *          event each, while the recorder has CPU 1: events made in a second of the program's CPU
 *          time, stored and lost, CPU time of the recorder for one event, its peak of resident
 *          memory. These events are as alike as events can be: it is the probes', the rings' and
 *          the queue's rate, and the least that encoding costs.
 *   mixed  a minute of programs that start and end, files, synced writes, pipes, locks, timers and
 *          TCP, with the recorder's defaults: bytes and CPU time for one event.
 *   full   twice as many programs as there are CPUs that only compute, and on each CPU two that
 *          wake each other without end: events lost in the tier of waits.
 *   rest   CPU time of the recorder in 20 s in which nobody does anything, of one CPU.
 *
 * The recorder's time is that of its threads: those that encode and write, and the others, of which
 * only the one that drains does much. Medians of some runs; other load on the machine counts as
 * mixed, and spoils the rest.
 *
 *   record_rate [rate|mixed|full|rest] [KPROBE]        (default: all; $KPROBE, else ./kprobe)
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define RUNS 3
#define RATE_S 8
#define MIXED_S 60
#define REST_S 20
#define CLIENTS 4
#define SETTLE_S 3
#define CEILING_MIB 200.0 /* by default, the kernel's buffers included: kprobe-record(1) */

static const char *kprobe;
static char dir[] = "/var/tmp/kprobe-rate-XXXXXX";

static void sleep_s(unsigned s)
{
	struct timespec left = {.tv_sec = s};

	while (nanosleep(&left, &left) < 0)
		;
}

/* --- the recorder --- */

struct run {
	pid_t pid;
	uint64_t begin_ns;    /* since when it is watched */
	double cpu_s, wall_s; /* while it was watched */
	double write_s;       /* of that, the writing threads' */
	double stored, lost;  /* events, of the whole run */
	double log_len, rss_mib;
};

/* The first line of a file of a thread. */
static int read_thread(pid_t pid, const char *tid, const char *name, char line[64])
{
	char path[400];
	FILE *file;
	int is_there;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, tid, name);
	file = fopen(path, "re");
	is_there = file && fgets(line, 64, file);
	if (file)
		fclose(file);
	return is_there;
}

/* Adds the CPU time of the recorder's threads so far, times sign. */
static void add_cpu(struct run *run, int sign)
{
	char path[64], name[64], times[64];
	struct dirent *entry;
	double s;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", run->pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !read_thread(run->pid, entry->d_name, "comm", name) ||
		    !read_thread(run->pid, entry->d_name, "schedstat", times))
			continue;
		s = sign * strtod(times, NULL) / 1e9;
		run->cpu_s += s;
		run->write_s += strcmp(name, "kp-write\n") ? 0 : s;
	}
	if (tasks)
		closedir(tasks);
}

static double peak_mib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmHWM: %lf", &kib);
	if (file)
		fclose(file);
	return kib / 1024;
}

static void start(struct run *run, int cpu, const char *events)
{
	char log[300], words[300];
	int out;

	snprintf(log, sizeof(log), "%s/log", dir);
	snprintf(words, sizeof(words), "%s/words", dir);
	run->pid = fork();
	must(run->pid >= 0, "fork");
	if (!run->pid) {
		if (cpu >= 0)
			pin(cpu);
		out = open(words, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
		dup2(out, STDERR_FILENO);
		setenv("KPROBE_BUDGET", "0", 1); /* or it would record less meanwhile */
		execl(kprobe, kprobe, "record", "-o", log, events ? "-e" : NULL, events, NULL);
		_exit(127);
	}
	sleep_s(SETTLE_S);
	add_cpu(run, -1);
	run->begin_ns = now_ns();
}

/* Waits until what was made is written, ends the recorder and takes its own accounts. */
static void stop(struct run *run, unsigned after_s)
{
	char command[400], line[256], path[300];
	int status;
	FILE *file;

	run->wall_s = (double)(now_ns() - run->begin_ns) / 1e9;
	sleep_s(after_s);
	add_cpu(run, 1);
	run->rss_mib = peak_mib(run->pid);
	kill(run->pid, SIGINT);
	must(waitpid(run->pid, &status, 0) == run->pid && !(status & 0x7f), kprobe);
	snprintf(path, sizeof(path), "%s/words", dir);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "kprobe: total %lf %lf", &run->stored, &run->lost);
	if (file)
		fclose(file);
	snprintf(command, sizeof(command), "find %s/log -name '*.kpl' -printf '%%s\\n'", dir);
	file = popen(command, "re");
	while (file && fgets(line, sizeof(line), file))
		run->log_len += strtod(line, NULL);
	if (file)
		pclose(file);
	snprintf(command, sizeof(command), "rm -rf %s/log", dir);
	must(!system(command), "rm");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t cnt)
{
	qsort(values, cnt, sizeof(*values), compare);
	return values[cnt / 2];
}

/* --- rate --- */

static double own_cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Makes calls for a while; how many in a second that it ran. */
static double make_calls(void)
{
	uint64_t end = now_ns() + RATE_S * 1000000000ull, cnt = 0;
	double begin_s = own_cpu_s();

	while (now_ns() < end)
		for (int i = 0; i < 1000; i++, cnt++)
			syscall(SYS_getppid);
	return (double)cnt / (own_cpu_s() - begin_s);
}

static void measure_rate(void)
{
	double made[RUNS], lost[RUNS], ns[RUNS], write_ns[RUNS], bytes[RUNS], rss[RUNS];

	for (int i = 0; i < RUNS; i++) {
		struct run run = {0};

		pin(0);
		start(&run, 1, "syscall");
		made[i] = make_calls() / 1e6;
		stop(&run, 2);
		lost[i] = run.lost;
		ns[i] = run.cpu_s * 1e9 / run.stored;
		write_ns[i] = run.write_s * 1e9 / run.stored;
		bytes[i] = run.log_len / run.stored;
		rss[i] = run.rss_mib;
		printf("       %.2f M events/s, stored %.0f, lost %.0f, %.0f ns an event\n",
		       made[i], run.stored, run.lost, ns[i]);
	}
	printf("rate   %.2f M events/s, lost %.0f, recorder %.0f ns an event, %.0f of them to "
	       "encode and write, %.2f B an event, peak %.0f MiB of %.0f\n",
	       median(made, RUNS), median(lost, RUNS), median(ns, RUNS), median(write_ns, RUNS),
	       median(bytes, RUNS), median(rss, RUNS), CEILING_MIB);
}

/* --- mixed --- */

static const char mixed_load[] =
	"cd \"$1\" || exit 1\n"
	"(while :; do dd if=/dev/zero of=f bs=4k count=20 oflag=dsync; sleep 0.2; done) &\n"
	"(while :; do find /usr/lib -type f -name '*.h' | head -300 | xargs -r cat | sort |"
	" tail -1; sleep 0.3; done) &\n"
	"(while :; do ls -lR /usr/include | gzip -1 | wc -c; sleep 0.5; done) &\n"
	"(while :; do sh -c 'for i in 1 2 3 4 5; do /bin/true; done'; sleep 0.1; done) &\n"
	"wait\n";

/* One byte there and one back, then a pause of up to a millisecond. */
static void talk(int fd, int is_server)
{
	struct timespec pause = {0};
	char byte = 0;

	for (;;) {
		if (!is_server && write(fd, &byte, 1) != 1)
			_exit(0);
		if (read(fd, &byte, 1) != 1)
			_exit(0);
		if (is_server && write(fd, &byte, 1) != 1)
			_exit(0);
		pause.tv_nsec = random() % 1000000;
		if (!is_server)
			nanosleep(&pause, NULL);
	}
}

static void start_talk(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	must(!bind(listener, (void *)&address, len) && !listen(listener, CLIENTS) &&
		     !getsockname(listener, (void *)&address, &len),
	     "TCP");
	for (int i = 0; i < CLIENTS; i++) {
		if (!fork()) {
			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			must(!connect(fd, (void *)&address, len), "connect");
			srandom((unsigned)i + 1);
			talk(fd, 0);
		}
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (!fork())
			talk(fd, 1);
		close(fd);
	}
	close(listener);
}

/* A process group that makes the load. */
static pid_t start_mixed(void)
{
	pid_t pid = fork();
	int null;

	must(pid >= 0, "fork");
	if (pid)
		return pid;
	setpgid(0, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	start_talk();
	execlp("sh", "sh", "-c", mixed_load, "sh", dir, NULL);
	_exit(127);
}

static void measure_mixed(void)
{
	pid_t load = start_mixed();
	struct run run = {0};

	setpgid(load, load);
	start(&run, -1, NULL);
	sleep_s(MIXED_S);
	stop(&run, 0);
	kill(-load, SIGKILL);
	waitpid(load, NULL, 0);
	printf("mixed  %.2f B an event, recorder %.0f ns an event, %.0f of them to encode and "
	       "write, %.0f events/s, lost %.0f, peak %.0f MiB\n",
	       run.log_len / run.stored, run.cpu_s * 1e9 / run.stored,
	       run.write_s * 1e9 / run.stored, run.stored / (MIXED_S + SETTLE_S), run.lost,
	       run.rss_mib);
}

/* --- full --- */

/* Two processes that wake each other, and two that compute, on one CPU. */
static void fill_cpu(int cpu)
{
	int there[2], back[2];
	char byte = 0;

	pin(cpu);
	must(!pipe(there) && !pipe(back), "pipe");
	for (int i = 0; i < 2; i++)
		if (!fork())
			for (;;)
				;
	if (!fork())
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
	while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		;
	_exit(0);
}

static void measure_full(void)
{
	double lost[RUNS], rate[RUNS];

	for (int i = 0; i < RUNS; i++) {
		struct run run = {0};
		pid_t load = fork();

		must(load >= 0, "fork");
		if (!load) {
			setpgid(0, 0);
			for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
				if (!fork())
					fill_cpu(cpu);
			pause();
		}
		setpgid(load, load);
		start(&run, -1, NULL);
		sleep_s(REST_S);
		stop(&run, 0);
		kill(-load, SIGKILL);
		waitpid(load, NULL, 0);
		lost[i] = run.lost;
		rate[i] = run.stored / (REST_S + SETTLE_S);
	}
	printf("full   lost %.0f, most %.0f, of %.0f events/s\n", median(lost, RUNS),
	       lost[RUNS - 1], median(rate, RUNS));
}

/* --- rest --- */

static void measure_rest(void)
{
	double percent[RUNS], rate[RUNS];

	for (int i = 0; i < RUNS; i++) {
		struct run run = {0};

		start(&run, -1, NULL);
		sleep_s(REST_S);
		stop(&run, 0);
		percent[i] = run.cpu_s * 100 / run.wall_s;
		rate[i] = run.stored / (REST_S + SETTLE_S);
	}
	printf("rest   recorder %.2f %% of a CPU, %.0f events/s\n", median(percent, RUNS),
	       median(rate, RUNS));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*measure)(void);
	} parts[] = {{"rate", measure_rate},
		     {"mixed", measure_mixed},
		     {"full", measure_full},
		     {"rest", measure_rest}};
	const char *only = NULL;
	char command[64];

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (argc > 1 && !strcmp(argv[1], parts[i].name))
			only = argv[1];
	kprobe = argc > 1 + !!only ? argv[1 + !!only] : getenv("KPROBE");
	kprobe = kprobe ? kprobe : "./kprobe";
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(mkdtemp(dir) != NULL, "mkdtemp");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!only || !strcmp(only, parts[i].name))
			parts[i].measure();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : 0;
}
