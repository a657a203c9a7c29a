/* SPDX-License-Identifier: MIT
 * Stopped and continued: by itself, by its terminal's signals, within a sleep and within a loop.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static volatile int continued;

static void on_continue(int sig)
{
	continued++;
}

/* A child that continues its parent each 20 ms. */
static pid_t start_continuer(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 200; i++) {
			usleep(20000);
			if (kill(getppid(), SIGCONT))
				break;
		}
		_exit(0);
	}
	return pid;
}

int main(void)
{
	struct timespec pause = {0, 100000000};
	struct sigaction action = {.sa_handler = on_continue};
	pid_t child = start_continuer();

	TRY(raise(SIGSTOP));
	TRY(kill(getpid(), SIGTSTP));
	TRY(kill(getpid(), SIGTTIN));
	TRY(kill(getpid(), SIGTTOU));
	TRY(nanosleep(&pause, NULL));
	sigaction(SIGCONT, &action, NULL);
	TRY(raise(SIGSTOP));
	TRY(nanosleep(&pause, NULL) != 0);
	printf("continued: %d\n", continued > 0);
	signal(SIGCONT, SIG_IGN);
	TRY(kill(child, SIGKILL));
	TRY(waitpid(child, NULL, 0) == child);
	return 0;
}
