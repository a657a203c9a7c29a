/* SPDX-License-Identifier: MIT
 * Calls that a stop interrupts and the kernel takes up again as restart_syscall.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

/* A child that stops its parent, lets it go on, and then does what it waits for. */
static void stop_and_go(int fd, const char *byte)
{
	if (fork())
		return;
	usleep(30000);
	kill(getppid(), SIGSTOP);
	usleep(30000);
	kill(getppid(), SIGCONT);
	usleep(30000);
	_exit(write(fd, byte, strlen(byte)) < 0);
}

int main(void)
{
	struct timespec time = {0, 90000000}, left = {-7, -7};
	struct pollfd pfd;
	int fds[2];

	TRY(pipe(fds));
	pfd = (struct pollfd){fds[0], POLLIN, 0x55};
	stop_and_go(fds[1], "x");
	TRY(poll(&pfd, 1, 5000));
	printf("%x\n", pfd.revents);
	wait(NULL);
	stop_and_go(fds[1], "");
	TRY(nanosleep(&time, &left));
	printf("%ld %ld\n", (long)left.tv_sec, left.tv_nsec);
	wait(NULL);
	return 0;
}
