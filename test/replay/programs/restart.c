/* SPDX-License-Identifier: MIT
 * Reads and waits that a handled signal interrupts: restarted or not, by the action.
 */
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static int fds[2];
static volatile int taken;

static void on_alarm(int sig)
{
	taken += write(fds[1], "x", 1);
}

int main(void)
{

	struct itimerval soon = {.it_value.tv_usec = 20000};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct timespec pause = {0, 60000000}, rest = {0};
	struct pollfd pfd;
	char byte;

	TRY(pipe(fds));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	TRY(read(fds[0], &byte, 1));
	action.sa_flags = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	TRY(nanosleep(&pause, &rest));
	printf("left: %d\n", rest.tv_nsec > 0);
	TRY(read(fds[0], &byte, 1));
	setitimer(ITIMER_REAL, &soon, NULL);
	pfd = (struct pollfd){fds[0], POLLIN, 0};
	TRY(poll(&pfd, 1, 1000));
	printf("taken: %d\n", taken);
	return 0;
}
