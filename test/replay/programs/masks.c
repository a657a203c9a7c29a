/* SPDX-License-Identifier: MIT
 * Waits with a mask of their own: the signal comes within them only.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static volatile int taken;

static void on_signal(int sig)
{
	taken++;
}

int main(void)
{

	struct timespec limit = {1, 0};
	struct epoll_event event;
	sigset_t block, none;
	int fd = epoll_create1(0);

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	signal(SIGUSR1, on_signal);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	printf("taken: %d\n", taken);
	TRY(sigsuspend(&none));
	raise(SIGUSR1);
	TRY(ppoll(NULL, 0, &limit, &none));
	raise(SIGUSR1);
	TRY(pselect(0, NULL, NULL, NULL, &limit, &none));
	raise(SIGUSR1);
	TRY(epoll_pwait(fd, &event, 1, 1000, &none));
	raise(SIGUSR1);
	TRY(syscall(441 /* epoll_pwait2 */, fd, &event, 1, &limit, &none, 8));
	printf("taken: %d\n", taken);
	sigpending(&block);
	printf("pending: %d\n", sigismember(&block, SIGUSR1));
	return 0;
}
