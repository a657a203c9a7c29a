/* SPDX-License-Identifier: MIT
 * Waits twice for a signal that it blocks but while it waits (sigsuspend), from its child.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int cnt;

static void count(int sig)
{
	(void)sig;
	cnt++;
}

static void send_two(void)
{
	for (int i = 0; i < 2; i++) {
		usleep(20000);
		kill(getppid(), SIGUSR1);
	}
	_exit(0);
}

int main(void)
{
	sigset_t usr1, before, now;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	signal(SIGUSR1, count);
	if (fork() == 0)
		send_two();
	while (cnt < 2) {
		sigsuspend(&before);
		sigprocmask(SIG_BLOCK, NULL, &now);
		printf("%d, blocked %d\n", cnt, sigismember(&now, SIGUSR1));
	}
	wait(NULL);
	return 0;
}
