/* SPDX-License-Identifier: MIT
 *
 * Delays with known causes, each in a process of its own. For each it prints
 *
 *   NAME PID FROM TO CAUSE-PID CAUSE-TID
 *
 * where PID waited from FROM to TO (seconds since the epoch) for what CAUSE did. analyze_causes.sh
 * records them and holds kprobe's answers against what is known here.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ll
#define DELAY_MS 60

static const char *dir;
static int cause_pid, cause_tid;
static int64_t from;

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static void rest(int ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * MS};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void burn(int ms)
{
	int64_t end = now(CLOCK_THREAD_CPUTIME_ID) + ms * MS;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A service: answers each byte on fd after `work`. */
static void serve(int fd, void (*work)(int))
{
	char c;

	while (read(fd, &c, 1) == 1) {
		work(DELAY_MS);
		if (write(fd, &c, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static int start(int fd, int other, void (*work)(int))
{
	int pid = fork();

	if (pid == 0) {
		close(other);
		pin(1);
		serve(fd, work);
	}
	close(fd);
	cause_pid = cause_tid = pid;
	return pid;
}

static void ask(int fd)
{
	char c = 'x';

	if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
		err(1, "ask");
}

/* At a loopback address, which is changed. */
static void tcp_pair_at(struct sockaddr *addr, socklen_t len, int *ret)
{
	int listener = socket(addr->sa_family, SOCK_STREAM, 0);

	if (bind(listener, addr, len) || listen(listener, 1) || getsockname(listener, addr, &len))
		err(1, "listen");
	ret[0] = socket(addr->sa_family, SOCK_STREAM, 0);
	if (connect(ret[0], addr, len))
		err(1, "connect");
	ret[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void tcp_pair(int *ret)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	tcp_pair_at((void *)&addr, sizeof(addr), ret);
}

static void over_tcp(void (*work)(int))
{
	int fds[2];

	tcp_pair(fds);
	start(fds[1], fds[0], work);
	ask(fds[0]);
	close(fds[0]);
}

static void tcp_sleeping(void)
{
	over_tcp(rest);
}

/* By IPv6 where the machine has it. */
static void tcp6_sleeping(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fds[2];

	if (access("/proc/net/if_inet6", F_OK))
		tcp_pair(fds);
	else
		tcp_pair_at((void *)&addr, sizeof(addr), fds);
	start(fds[1], fds[0], rest);
	ask(fds[0]);
}

static void rest_and_leave(int ms)
{
	rest(ms);
	_exit(0);
}

/* The server ends without an answer, and its connection at once. */
static void tcp_reset(void)
{
	struct linger none = {.l_onoff = 1};
	int fds[2];
	char c = 'x';

	tcp_pair(fds);
	if (setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &none, sizeof(none)) < 0)
		err(1, "SO_LINGER");
	start(fds[1], fds[0], rest_and_leave);
	if (write(fds[0], &c, 1) != 1 || read(fds[0], &c, 1) != -1 || errno != ECONNRESET)
		err(1, "no reset");
	close(fds[0]);
}

/* Nobody answers in the time that the client gives. */
static void tcp_timeout(void)
{
	struct timeval limit = {0, DELAY_MS * 1000};
	int fds[2];
	char c;

	tcp_pair(fds);
	if (setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    recv(fds[0], &c, 1, 0) != -1)
		err(1, "recv");
	cause_pid = cause_tid = 0;
}

static void tcp_busy(void)
{
	over_tcp(burn);
}

static void unix_sleeping(void)
{
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	start(fds[1], fds[0], rest);
	ask(fds[0]);
}

static void epoll_sleeping(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int fds[2], idle[2], ep = epoll_create1(0);
	char c = 'x';

	tcp_pair(fds);
	socketpair(AF_UNIX, SOCK_STREAM, 0, idle);
	epoll_ctl(ep, EPOLL_CTL_ADD, idle[0], &ev);
	epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev);
	start(fds[1], fds[0], rest);
	if (write(fds[0], &c, 1) != 1 || epoll_wait(ep, &ev, 1, -1) != 1)
		err(1, "epoll");
}

/* The client's own chain: client - front (unix) - back (TCP), which sleeps. */
static void chain_sleeping(void)
{
	int front[2], back[2], pid;
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, front);
	tcp_pair(back);
	pid = fork();
	if (pid == 0) {
		close(back[1]);
		while (read(front[1], &c, 1) == 1) {
			ask(back[0]);
			if (write(front[1], &c, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(front[1]);
	close(back[0]);
	start(back[1], front[0], rest);
	ask(front[0]);
}

static void pipe_busy(void)
{
	int fds[2];
	char c;

	if (pipe(fds))
		err(1, "pipe");
	cause_pid = cause_tid = fork();
	if (cause_pid == 0) {
		pin(1);
		burn(DELAY_MS);
		_exit(write(fds[1], "x", 1) != 1);
	}
	if (read(fds[0], &c, 1) != 1)
		err(1, "read");
}

static void own_sleep(void)
{
	cause_pid = cause_tid = getpid();
	rest(DELAY_MS);
}

static void kill_later(int pid, int sig, int after_ms)
{
	rest(after_ms);
	if (kill(pid, sig))
		err(1, "kill");
}

static void stop_and_go(int victim)
{
	cause_pid = cause_tid = fork();
	if (cause_pid == 0) {
		kill_later(victim, SIGSTOP, 20);
		kill_later(victim, SIGCONT, 2 * DELAY_MS);
		_exit(0);
	}
}

static void self_stopped(void)
{
	stop_and_go(getpid());
	burn(40);
}

static void service_stopped(void)
{
	int fds[2], service;

	tcp_pair(fds);
	service = start(fds[1], fds[0], burn);
	stop_and_go(service);
	ask(fds[0]);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void signal_sleeping(void)
{
	sigset_t set, old;
	int me = getpid();

	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	cause_pid = cause_tid = fork();
	if (cause_pid == 0) {
		kill_later(me, SIGUSR1, DELAY_MS);
		_exit(0);
	}
	sigsuspend(&old);
}

static void child_busy(void)
{
	cause_pid = cause_tid = fork();
	if (cause_pid == 0) {
		burn(DELAY_MS);
		_exit(0);
	}
	waitpid(cause_pid, NULL, 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int held;

static void *holder(void *arg)
{
	(void)arg;
	cause_tid = (int)syscall(SYS_gettid);
	pthread_mutex_lock(&mutex);
	held = 1;
	rest(DELAY_MS);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void lock_sleeping(void)
{
	pthread_t thread;

	cause_pid = getpid();
	pthread_create(&thread, NULL, holder, NULL);
	while (!held)
		sched_yield();
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

/* A real-time hog on the same CPU. */
static void queue_hog(void)
{
	struct sched_param param = {.sched_priority = 10};
	int fds[2];
	char c;

	pin(0);
	if (pipe(fds))
		err(1, "pipe");
	cause_pid = cause_tid = fork();
	if (cause_pid == 0) {
		if (sched_setscheduler(0, SCHED_FIFO, &param))
			err(1, "SCHED_FIFO");
		rest(10);
		burn(DELAY_MS);
		_exit(0);
	}
	close(fds[1]);
	burn(20);
	if (read(fds[0], &c, 1) < 0) /* the hog holds it until it ends */
		err(1, "read");
}

/* Direct, synchronous writes among other writers. */
static void write_disk(const char *name, int ms)
{
	int64_t end = now(CLOCK_MONOTONIC) + ms * MS;
	char path[256];
	void *block;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.%d", dir, name, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, 0600);
	if (fd < 0 || posix_memalign(&block, 4096, 1 << 20))
		err(1, "%s", path);
	memset(block, 'x', 1 << 20);
	while (now(CLOCK_MONOTONIC) < end)
		if (pwrite(fd, block, 1 << 20, 0) < 0)
			err(1, "%s", path);
	unlink(path);
	close(fd);
}

static void slow_disk(void)
{
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			write_disk("noise", 300);
			_exit(0);
		}
	rest(20);
	from = now(CLOCK_REALTIME);
	write_disk("own", 200);
}

static void synced_disk(void)
{
	char path[256], text[512];
	int fd;

	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			write_disk("noise", 300);
			_exit(0);
		}
	rest(20);
	snprintf(path, sizeof(path), "%s/synced", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	memset(text, 'y', sizeof(text));
	from = now(CLOCK_REALTIME);
	for (int i = 0; i < 20; i++)
		if (write(fd, text, sizeof(text)) < 0 || fsync(fd))
			err(1, "%s", path);
	close(fd);
}

static const char *group = "/sys/fs/cgroup/cpu/kprobe-test-delay";

static void put(const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void throttled(void)
{
	char pid[16];

	cause_pid = cause_tid = getpid();
	snprintf(pid, sizeof(pid), "%d", getpid());
	mkdir(group, 0755);
	put("cpu.cfs_period_us", "100000");
	put("cpu.cfs_quota_us", "20000");
	put("tasks", pid);
	burn(50);
	group = "/sys/fs/cgroup/cpu";
	put("tasks", pid);
	rmdir("/sys/fs/cgroup/cpu/kprobe-test-delay");
}

/* Pages of a file that is not in memory, touched one by one. */
static void major_faults(void)
{
	size_t len = 16 << 20, page = 4096;
	volatile unsigned char sum = 0;
	char path[256];
	unsigned char *at;
	void *block;
	int fd;

	cause_pid = cause_tid = getpid();
	snprintf(path, sizeof(path), "%s/mapped", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	block = calloc(1, len);
	if (fd < 0 || write(fd, block, len) != (ssize_t)len || fsync(fd))
		err(1, "%s", path);
	at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	madvise(at, len, MADV_RANDOM);
	posix_fadvise(fd, 0, (off_t)len, POSIX_FADV_DONTNEED);
	from = now(CLOCK_REALTIME);
	for (size_t i = 0; i < len; i += 16 * page)
		sum += at[i];
	unlink(path);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{"own_sleep", own_sleep},
	{"self_stopped", self_stopped},
	{"service_stopped", service_stopped},
	{"tcp_sleeping", tcp_sleeping},
	{"tcp6_sleeping", tcp6_sleeping},
	{"tcp_reset", tcp_reset},
	{"tcp_timeout", tcp_timeout},
	{"tcp_busy", tcp_busy},
	{"unix_sleeping", unix_sleeping},
	{"epoll_sleeping", epoll_sleeping},
	{"chain_sleeping", chain_sleeping},
	{"pipe_busy", pipe_busy},
	{"signal_sleeping", signal_sleeping},
	{"child_busy", child_busy},
	{"lock_sleeping", lock_sleeping},
	{"queue_hog", queue_hog},
	{"slow_disk", slow_disk},
	{"synced_disk", synced_disk},
	{"throttled", throttled},
	{"major_faults", major_faults},
};

/* In a process group of its own, which ends with it. */
static void run(size_t i)
{
	int64_t to;

	from = now(CLOCK_REALTIME);
	scenarios[i].run();
	to = now(CLOCK_REALTIME);
	printf("%s %d %lld.%09lld %lld.%09lld %d %d\n", scenarios[i].name, getpid(),
	       (long long)(from / 1000 / MS), (long long)(from % (1000 * MS)),
	       (long long)(to / 1000 / MS), (long long)(to % (1000 * MS)), cause_pid, cause_tid);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int pid, status, failed = 0;

	if (argc != 2)
		errx(2, "usage: delay DIR");
	dir = argv[1];
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			alarm(20);
			run(i);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		kill(-pid, SIGKILL);
		if (status) {
			fprintf(stderr, "%s: status 0x%x\n", scenarios[i].name, status);
			failed = 1;
		}
		rest(50);
	}
	return failed;
}
