/* SPDX-License-Identifier: MIT
 * Calls that fail and have written all the same, or that succeed and leave a buffer alone which
 * they may write.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static int fds[2];
static char page[4096];
static const struct timespec soon_over = {0, 1000000};
static const struct timeval soon_gone = {0, 1000};

static void on_alarm(int sig)
{
}

static void alarm_soon(void)
{
	struct itimerval soon = {.it_value.tv_usec = 20000};

	setitimer(ITIMER_REAL, &soon, NULL);
}

static void waits(void)
{
	struct pollfd pfd = {fds[0], POLLIN, 0x55};
	struct timespec left = {1, 0};
	siginfo_t info;

	alarm_soon();
	TRY(poll(&pfd, 1, 1000));
	printf("%x\n", pfd.revents);
	pfd.revents = 0x55;
	alarm_soon();
	TRY(syscall(SYS_ppoll, &pfd, 1, &left, NULL, 0));
	printf("%x %ld %ld\n", pfd.revents, (long)left.tv_sec, left.tv_nsec);
	memset(&info, 0x11, sizeof info);
	TRY(waitid(P_ALL, 0, &info, WEXITED));
	hex("info", &info, 32);
	/* Their times are not theirs to write: that they ran out is not told. */
	TRY(syscall(SYS_ppoll, &pfd, 1, &soon_over, NULL, 0));
	TRY(syscall(SYS_select, 0, NULL, NULL, NULL, &soon_gone));
}

static void numbers(void)
{
	struct {
		unsigned len;
		int type;
		char bytes[128];
	} handle = {0};
	int pair[2] = {-7, -7}, mount = -5;
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	int timer = -7;
	pid_t pid = -5;

	TRY(socketpair(77, SOCK_STREAM, 0, pair));
	printf("%d %d\n", pair[0], pair[1]);
	TRY(name_to_handle_at(AT_FDCWD, "/etc/passwd", (void *)&handle, &mount, 0));
	printf("%u %d\n", handle.len, mount != -5);
	TRY(syscall(SYS_timer_create, 99, &none, &timer));
	TRY(syscall(SYS_timer_create, CLOCK_REALTIME_ALARM, &none, &timer) < 0);
	printf("%d\n", timer);
	TRY(syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_NEWUSER | CLONE_FS, 0, &pid, 0, 0));
	printf("%d\n", pid);
}

/* Each says how long its structure is when it is given another length. */
static void sizes(void)
{
	struct __user_cap_header_struct header = {0x1234, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	uint32_t *words = (uint32_t *)page;

	TRY(syscall(SYS_capset, &header, data));
	printf("%x\n", header.version);
	words[0] = 4000;
	page[3000] = 1;
	TRY(syscall(SYS_sched_setattr, 0, page, 0));
	printf("%u\n", words[0]);
	words[0] = 30;
	TRY(syscall(SYS_sched_setattr, 0, page, 0));
	printf("%u\n", words[0]);
	words[0] = 0;
	words[1] = 4000;
	TRY(syscall(SYS_perf_event_open, page, 0, -1, -1, 0));
	printf("%u\n", words[1]);
}

static void pages(void)
{
	char *both = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in_core[2] = {0xaa, 0xaa};
	void *at[2] = {page, (void *)8};
	int nodes[2] = {0, 63}, status[2] = {-7, -7};

	both[0] = 1;
	munmap(both + 4096, 4096);
	TRY(mincore(both, 8192, in_core));
	hex("in core", in_core, sizeof in_core);
	TRY(syscall(SYS_move_pages, 0, 2, at, nodes, status, 2));
	printf("%d %d\n", status[0], status[1]);
}

/* The message is taken, and then its sender has no place. */
static void message(void)
{
	int pair[2];
	char bytes[8] = "-------";
	struct sockaddr from;
	socklen_t len = -1;

	TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	TRY(send(pair[0], "hello", 6, 0));
	TRY(recvfrom(pair[1], bytes, sizeof bytes, 0, &from, &len));
	printf("%s\n", bytes);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	TRY(pipe(fds));
	waits();
	numbers();
	sizes();
	pages();
	message();
	return 0;
}
