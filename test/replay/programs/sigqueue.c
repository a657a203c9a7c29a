/* SPDX-License-Identifier: MIT
 * Signals with values: queued, in order, to itself and from a child.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

static void on_signal(int sig, siginfo_t *info, void *context)
{
	printf("signal %d, value %d, code %d\n", sig - SIGRTMIN, info->si_value.sival_int,
	       info->si_code);
}

int main(void)
{

	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	union sigval value;
	sigset_t set, old;
	siginfo_t info;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 3; i++) {
		value.sival_int = 100 + i;
		TRY(sigqueue(getpid(), SIGRTMIN, value));
	}
	TRY(sigwaitinfo(&set, &info));
	printf("value: %d\n", info.si_value.sival_int);
	sigaction(SIGRTMIN, &action, NULL);
	sigaction(SIGRTMIN + 1, &action, NULL);
	child = fork();
	if (child == 0) {
		value.sival_int = 7;
		sigqueue(getppid(), SIGRTMIN + 1, value);
		_exit(0);
	}
	TRY(waitpid(child, NULL, 0) == child);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return 0;
}
