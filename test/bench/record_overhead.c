/* SPDX-License-Identifier: MIT
 *
 * What recording costs: four small workloads alone, under `kprobe record`, with a record for each
 * system call and without, under `perf record -e raw_syscalls:*,sched:* -a`, and under `strace -f`,
 * in one run; the best of many short rounds, and ratios. A tool that is not installed is left out
 * and said to be. One row more is the least that any recorder of system calls by tracepoints pays:
 * a BPF program at either end of a call that reads the clock.
 *
 *   record_overhead [KPROBE]        (default: $KPROBE, else ./kprobe)
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS 60
#define ROUND_TOLD 3          /* the fastest ones may be luck */
#define SETTLE_NS 2000000000l /* until a recorder has attached */

/* --- the workloads: each does n operations and returns the nanoseconds it took --- */

static uint64_t run_empty(unsigned n)
{
	uint64_t begin = now_ns();

	while (n--)
		syscall(SYS_getppid);
	return now_ns() - begin;
}

static uint64_t run_write(unsigned n)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint64_t begin = now_ns();

	while (n--)
		must(write(fd, "", 1) == 1, "write");
	begin = now_ns() - begin;
	close(fd);
	return begin;
}

/* Sends n bytes on `to` and reads one back on `from` after each; a child answers. */
static uint64_t converse(int from, int to, int child_from, int child_to, unsigned n)
{
	char byte = 0;
	uint64_t begin;
	pid_t child = fork();

	must(child >= 0, "fork");
	if (!child) {
		for (unsigned i = 0; i < n; i++)
			if (read(child_from, &byte, 1) != 1 || write(child_to, &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	begin = now_ns();
	for (unsigned i = 0; i < n; i++)
		must(write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1, "conversation");
	begin = now_ns() - begin;
	waitpid(child, NULL, 0);
	return begin;
}

static uint64_t run_pipe(unsigned n)
{
	int there[2], back[2];
	uint64_t ns;

	must(!pipe2(there, O_CLOEXEC) && !pipe2(back, O_CLOEXEC), "pipe");
	ns = converse(back[0], there[1], there[0], back[1], n);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	return ns;
}

static uint64_t run_tcp(unsigned n)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
	uint64_t ns;

	must(!bind(listener, (void *)&address, len) && !listen(listener, 1) &&
		     !getsockname(listener, (void *)&address, &len) &&
		     !connect(client, (void *)&address, len),
	     "TCP connection");
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(server >= 0, "accept");
	ns = converse(client, client, server, server, n);
	close(listener);
	close(client);
	close(server);
	return ns;
}

static const struct workload {
	const char *name;
	uint64_t (*run)(unsigned n);
	unsigned n;      /* operations of a round */
	unsigned n_slow; /* the same under strace */
} workloads[] = {
	{"empty system call", run_empty, 30000, 300},
	{"1-byte write", run_write, 30000, 300},
	{"pipe ping-pong", run_pipe, 3000, 100},
	{"TCP request-response", run_tcp, 1500, 100},
};
#define WORKLOAD_CNT (sizeof(workloads) / sizeof(*workloads))

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nanoseconds an operation, one line per workload on stdout: of many short rounds one of the
 * fastest, since what else the machine does only adds. */
static void measure(int is_slow)
{
	double ns[ROUNDS];

	/* Both sides of a conversation: the distance of two CPUs' wakeups is noise here. */
	pin(0);
	for (size_t w = 0; w < WORKLOAD_CNT; w++) {
		unsigned n = is_slow ? workloads[w].n_slow : workloads[w].n;

		workloads[w].run(n / 10);
		for (int i = 0; i < ROUNDS; i++)
			ns[i] = (double)workloads[w].run(n) / n;
		qsort(ns, ROUNDS, sizeof(*ns), compare);
		printf("%.1f\n", ns[ROUND_TOLD]);
	}
}

/* --- the tools --- */

static pid_t start(char *const *argv)
{
	pid_t pid = fork();
	int null;

	must(pid >= 0, "fork");
	if (pid)
		return pid;
	null = open("/dev/null", O_RDWR);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* Runs this program's measurement by the shell, with a prefix; 0 when it gave all figures. */
static int measure_by(const char *prefix, const char *self, double *ret_ns)
{
	char command[4096];
	size_t got = 0;
	FILE *out;

	snprintf(command, sizeof(command), "%s '%s' %s", prefix, self,
		 *prefix ? "--measure-slow" : "--measure");
	out = popen(command, "re");
	must(out != NULL, "popen");
	while (got < WORKLOAD_CNT && fscanf(out, "%lf", &ret_ns[got]) == 1)
		got++;
	pclose(out);
	return got == WORKLOAD_CNT ? 0 : -1;
}

/* Measures while a system-wide recorder runs; -1 when it could not start. */
static int measure_beside(char *const *argv, const char *self, double *ret_ns)
{
	pid_t pid = start(argv);
	int status, r;

	nanosleep(&(struct timespec){SETTLE_NS / 1000000000, SETTLE_NS % 1000000000}, NULL);
	if (waitpid(pid, &status, WNOHANG) == pid)
		return -1;
	r = measure_by("", self, ret_ns);
	kill(pid, SIGINT);
	waitpid(pid, &status, 0);
	return r;
}

/* A program that reads the clock, attached to a raw tracepoint; its descriptor, or -1. */
static int attach_clock(const char *tracepoint)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", insns,
				    sizeof(insns) / sizeof(*insns), NULL);
	int link = program < 0 ? -1 : bpf_raw_tracepoint_open(tracepoint, program);

	if (program >= 0)
		close(program);
	return link < 0 ? -1 : link;
}

static int measure_clock(const char *self, double *ret_ns)
{
	int enter = attach_clock("sys_enter"), leave = attach_clock("sys_exit");
	int r = enter < 0 || leave < 0 ? -1 : measure_by("", self, ret_ns);

	if (enter >= 0)
		close(enter);
	if (leave >= 0)
		close(leave);
	return r;
}

static void print_row(const char *name, int failed, const double *ns, const double *native)
{
	printf("%-16s", name);
	for (size_t w = 0; w < WORKLOAD_CNT; w++)
		if (failed)
			printf("  %20s", "not available");
		else
			printf("  %12.0f (x%5.2f)", ns[w], ns[w] / native[w]);
	putchar('\n');
	fflush(stdout);
}

static void compare_tools(const char *self, const char *kprobe, const char *dir)
{
	double native[WORKLOAD_CNT], again[WORKLOAD_CNT], ns[WORKLOAD_CNT];
	char log[256], data[256];
	int failed;

	snprintf(log, sizeof(log), "%s/log", dir);
	snprintf(data, sizeof(data), "%s/perf.data", dir);
	printf("%-16s", "ns an operation");
	for (size_t w = 0; w < WORKLOAD_CNT; w++)
		printf("  %20s", workloads[w].name);
	putchar('\n');
	must(!measure_by("", self, native), "measuring");
	print_row("alone", 0, native, native);
	failed = measure_clock(self, ns);
	print_row("clock readings", failed, ns, native);
	failed = measure_beside(
		(char *[]){(char *)kprobe, "record", "--budget", "0", "-o", log, NULL}, self, ns);
	print_row("kprobe record", failed, ns, native);
	failed = measure_beside(
		(char *[]){(char *)kprobe, "record", "-e", "syscall", "-o", log, NULL}, self, ns);
	print_row("… -e syscall", failed, ns, native);
	/* perf wants tracefs; a machine that has not mounted it is given it for the while. */
	mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL);
	failed = measure_beside((char *[]){"perf", "record", "-q", "-a", "-e",
					   "raw_syscalls:*,sched:*", "-o", data, NULL},
				self, ns);
	print_row("perf record", failed, ns, native);
	failed = measure_by("strace -f -o /dev/null", self, ns);
	print_row("strace -f", failed, ns, native);
	must(!measure_by("", self, again), "measuring");
	print_row("alone, again", 0, again, native);
}

int main(int argc, char **argv)
{
	const char *kprobe = argc > 1 ? argv[1] : getenv("KPROBE");
	char dir[] = "/tmp/kprobe-bench-XXXXXX", command[64], self[4096] = "";

	if (argc > 1 && !strncmp(argv[1], "--measure", 9)) {
		measure(!strcmp(argv[1], "--measure-slow"));
		return 0;
	}
	must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0, "/proc/self/exe");
	must(mkdtemp(dir) != NULL, "mkdtemp");
	compare_tools(self, kprobe ? kprobe : "./kprobe", dir);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : 0;
}
