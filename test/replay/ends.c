/* SPDX-License-Identifier: MIT
 * Ends in the way that -DWAY=n says, for builds that end in different ones.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void leave(int sig)
{
	(void)sig;
	_exit(10);
}

static void fault(void)
{
	*(volatile int *)16 = 1;
}

static void run(int flags, int to)
{
	int fd = open("/dev/null", O_RDWR | flags);

	if (to >= 0)
		dup2(fd, to);
	execl("/bin/true", "true", NULL);
}

int main(void)
{
	switch (WAY) {
	case 1:
		return 1;
	case 2:
		signal(SIGUSR1, leave);
		/* fall through */
	case 3:
		kill(getpid(), SIGUSR1);
		break;
	case 4:
		signal(SIGSEGV, leave);
		/* fall through */
	case 5:
		fault();
		break;
	case 6:
		abort();
	case 7:
		run(0, -1);
		break;
	case 8:
		run(O_CLOEXEC, -1);
		break;
	case 9:
		run(0, STDOUT_FILENO);
		break;
	}
	return 0;
}
