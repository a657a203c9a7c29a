/* SPDX-License-Identifier: MIT
 *
 * Calls that change something outside the process. Built with -DVARIANT=n, the n-th is made
 * otherwise, or is left out; -DLIST prints, for each, what the verdict on such a build is (exit
 * status of replay) and the call that it names.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef VARIANT
#define VARIANT (-1)
#endif
#ifdef LIST
#define CHANGE(status, name, ...) printf("%d %d %s\n", n++, status, name)
#else
/* `other` is 1 in the build that differs here. */
#define CHANGE(status, name, ...)                 \
	do {                                      \
		const int other = n++ == VARIANT; \
		(void)other;                      \
		__VA_ARGS__;                      \
	} while (0)
#endif

static const struct sockaddr *inet(int last)
{
	static struct sockaddr_in address;

	/* Nobody looks at what is behind. */
	memset(&address, VARIANT, sizeof address);
	address.sin_family = AF_INET;
	address.sin_port = htons(9);
	address.sin_addr.s_addr = htonl(0x7f000001 + last);
	return (const struct sockaddr *)&address;
}

static const struct sockaddr *local(const char *path)
{
	static struct sockaddr_un address;

	memset(&address, VARIANT, sizeof address);
	address.sun_family = AF_UNIX;
	strcpy(address.sun_path, path);
	return (const struct sockaddr *)&address;
}

static void lock(int fd, int from)
{
	struct flock range;

	memset(&range, VARIANT, sizeof range);
	range.l_type = F_WRLCK;
	range.l_whence = SEEK_SET;
	range.l_start = from;
	range.l_len = 5;
	fcntl(fd, F_SETLK, &range);
}

static void watch(int epoll, int fd, int events)
{
	struct epoll_event event = {.events = events, .data.ptr = &event};

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(void)
{
	int n = 0, buffer = 8192, larger = 16384, pair[2] = {-1, -1};
	struct itimerspec timer = {{0, 0}, {100, 0}}, later = {{0, 0}, {200, 0}};
	struct timespec times[2] = {{1, 0}, {VARIANT, UTIME_OMIT}};
	struct rlimit limit = {100, 200};
	union sigval value = {.sival_int = 1};
	cpu_set_t cpus = {{1}};
	char name[] = "first", bytes[8];
	sigset_t term;
#ifndef LIST
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	int udp = socket(AF_INET, SOCK_DGRAM | (VARIANT >= 0 ? SOCK_CLOEXEC : 0), 0);
	int bound = socket(AF_INET, SOCK_DGRAM, 0), unbound = socket(AF_UNIX, SOCK_DGRAM, 0);
	int alarm_fd = timerfd_create(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0);
	int spare = open("spare", O_RDWR | O_CREAT, 0600), other_pair[2], nobody_reads[2];
	int events = inotify_init(), sems = semget(IPC_PRIVATE, 2, 0600);
	mqd_t queue = mq_open("/kprobe-changes", O_CREAT | O_RDWR, 0600, NULL);

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, other_pair);
	pipe(nobody_reads);
	close(nobody_reads[0]);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
#else
	(void)inet, (void)local, (void)lock, (void)watch, (void)buffer, (void)larger, (void)pair;
	(void)timer, (void)later, (void)times, (void)limit, (void)value, (void)cpus, (void)name;
	(void)bytes, (void)term;
#endif
	CHANGE(7, "sendto", sendto(udp, "x", 1, 0, inet(other), 16));
	CHANGE(7, "connect", connect(udp, inet(other), 16));
	CHANGE(7, "bind", bind(bound, inet(other), 16));
	CHANGE(7, "bind", bind(unbound, local(other ? "y" : "x"), VARIANT < 0 ? 110 : 4));
	CHANGE(7, "setsockopt",
	       setsockopt(udp, SOL_SOCKET, SO_RCVBUF, other ? &larger : &buffer, sizeof buffer));
	CHANGE(7, "sendto", send(pair[0], "o", 1, other ? MSG_MORE : 0));
	CHANGE(7, "mkdir", mkdir("folder", other ? 0777 : 0700));
	CHANGE(7, "rmdir", if (!other) rmdir("folder"));
	CHANGE(7, "open",
	       openat(AT_FDCWD, "made", O_CREAT | O_WRONLY | (other ? O_TRUNC : 0), 0600));
	CHANGE(7, "open", openat(AT_FDCWD, "made too", O_CREAT | O_WRONLY, other ? 0644 : 0600));
	CHANGE(0, "open", openat(AT_FDCWD, "made", other ? O_RDWR | O_CLOEXEC : O_RDWR, VARIANT));
	CHANGE(7, "fchmod", fchmod(fd, other ? 0640 : 0600));
	CHANGE(7, "chmod", if (!other) chmod("file", 0600));
	CHANGE(7, "fchown", fchown(fd, other ? 1 : 0, 0));
	CHANGE(7, "setxattr", setxattr("file", "user.a", other ? "aab" : "aaa", 3, 0));
	CHANGE(7, "utimensat", times[0].tv_sec += other; utimensat(AT_FDCWD, "file", times, 0));
	CHANGE(7, "umask", umask(other ? 022 : 077));
	CHANGE(7, "fcntl", lock(fd, other));
	CHANGE(7, "flock", flock(fd, other ? LOCK_SH : LOCK_EX));
	CHANGE(7, "fcntl", fcntl(fd, F_SETFL, other ? O_APPEND : O_NONBLOCK));
	CHANGE(0, "fcntl", if (!other) fcntl(fd, F_GETFL));
	CHANGE(7, "kill", kill(getpid(), other ? SIGUSR2 : SIGUSR1));
	CHANGE(7, "rt_sigqueueinfo", value.sival_int += other; sigqueue(getpid(), SIGUSR1, value));
	CHANGE(7, "semtimedop", struct sembuf up = {other, 1, 0}; semop(sems, &up, 1));
	CHANGE(7, "semctl", semctl(sems, 0, SETVAL, 1 + other));
	CHANGE(7, "semctl", if (!other) semctl(sems, 0, IPC_RMID));
	CHANGE(7, "mq_timedsend", mq_send(queue, "m", 1, other));
	CHANGE(7, "mq_unlink", if (!other) mq_unlink("/kprobe-changes"));
	CHANGE(7, "timerfd_settime", timerfd_settime(alarm_fd, 0, other ? &later : &timer, NULL));
	CHANGE(7, "alarm", alarm(100 + other));
	CHANGE(0, "epoll_ctl", watch(epoll, pair[0], other ? EPOLLOUT : EPOLLIN));
	CHANGE(0, "inotify_add_watch", inotify_add_watch(events, "file", IN_OPEN + other));
	CHANGE(0, "sched_setaffinity", cpus.__bits[0] += other; sched_setaffinity(0, 8, &cpus));
	CHANGE(0, "setpriority", setpriority(PRIO_PROCESS, 0, 1 + other));
	CHANGE(0, "prlimit64", limit.rlim_cur += other; setrlimit(RLIMIT_NOFILE, &limit));
	CHANGE(0, "prctl", name[0] += (char)other; prctl(PR_SET_NAME, name));
	/* Left out, these change what a later call does. */
	CHANGE(7, "lseek", write(fd, "123", 3); if (!other) lseek(fd, 0, SEEK_SET);
	       write(fd, "x", 1));
	CHANGE(7, "read", if (!other) read(fd, bytes, 1); write(fd, "y", 1));
	CHANGE(7, "lseek", if (!other) lseek(fd, 1, SEEK_SET); read(fd, bytes, 1));
	CHANGE(0, "lseek", if (!other) lseek(fd, 0, SEEK_CUR); write(fd, "z", 1));
	CHANGE(0, "read", lseek(fd, 0, SEEK_SET); if (!other) read(fd, bytes, 2);
	       lseek(fd, 0, SEEK_SET); write(fd, "u", 1));
	CHANGE(7, "dup2", if (!other) dup2(fd, spare); write(spare, "v", 1));
	CHANGE(7, "close", if (!other) close(0); openat(AT_FDCWD, "/dev/null", O_RDONLY));
	CHANGE(0, "close", if (!other) close(other_pair[1]); getppid());
	CHANGE(7, "kill", if (!other) signal(SIGHUP, SIG_IGN); kill(getpid(), SIGHUP));
	CHANGE(7, "kill", if (!other) sigprocmask(SIG_BLOCK, &term, NULL); kill(getpid(), SIGTERM));
	CHANGE(7, "write", if (!other) signal(SIGPIPE, SIG_IGN); write(nobody_reads[1], "w", 1));
	CHANGE(0, "SIGVTALRM", if (!other) signal(SIGVTALRM, SIG_IGN); getppid());
	CHANGE(0, "epoll_ctl", if (!other) watch(epoll, pair[1], EPOLLIN); getppid());
	CHANGE(0, "mmap", if (!other) mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHANGE(7, "unlink", if (!other) unlink("file"));
	return 0;
}
