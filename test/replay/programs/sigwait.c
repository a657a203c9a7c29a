/* SPDX-License-Identifier: MIT
 * Signals fetched without a handler.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t = {0, 2000000};
	siginfo_t si;
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 2);
	TRY(sigprocmask(SIG_BLOCK, &set, NULL));
	TRY(sigtimedwait(&set, &si, &t));
	TRY(kill(getpid(), SIGUSR1));
	TRY(sigwait(&set, &sig));
	printf("%d\n", sig);
	TRY(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 17}));
	TRY(sigwaitinfo(&set, &si));
	printf("%d %d %d %d\n", si.si_signo, si.si_code, si.si_pid, si.si_value.sival_int);
	return 0;
}
