/* SPDX-License-Identifier: MIT
 * A timer's signal interrupts a read: EINTR, then SA_RESTART.
 */
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static volatile sig_atomic_t ticks;
static int fds[2];

static void tick(int sig)
{
	(void)sig;
	if (++ticks == 4 && write(fds[1], "done", 4) != 4)
		_exit(1);
}

int main(void)
{
	struct sigaction a = {.sa_handler = tick};
	struct itimerval t = {{0, 4000}, {0, 4000}}, left;
	struct timespec rem = {0, 0};
	char buf[8] = "";

	TRY(pipe(fds));
	TRY(sigaction(SIGALRM, &a, NULL));
	TRY(setitimer(ITIMER_REAL, &t, NULL));
	TRY(read(fds[0], buf, sizeof(buf)));
	printf("ticks %d\n", (int)ticks);
	TRY(nanosleep(&(struct timespec){1, 0}, &rem));
	printf("left %ld.%09ld\n", (long)rem.tv_sec, rem.tv_nsec);
	a.sa_flags = SA_RESTART;
	TRY(sigaction(SIGALRM, &a, NULL));
	TRY(read(fds[0], buf, sizeof(buf)));
	printf("[%s] ticks %d\n", buf, (int)ticks);
	TRY(getitimer(ITIMER_REAL, &left));
	printf("%ld.%06ld\n", (long)left.it_value.tv_sec, (long)left.it_value.tv_usec);
	memset(&t, 0, sizeof(t));
	TRY(setitimer(ITIMER_REAL, &t, &left));
	TRY(alarm(100));
	TRY(alarm(0));
	return 0;
}
