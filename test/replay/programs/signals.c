/* SPDX-License-Identifier: MIT
 * Signals that the process sends itself: handlers, masks, queues.
 */
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "show.h"

static volatile sig_atomic_t count;

static void plain(int sig)
{
	count += sig;
}

static void info(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;

	printf("sig %d code %d pid %d uid %u value %d in text %d\n", sig, si->si_code, si->si_pid,
	       si->si_uid, si->si_value.sival_int, uc->uc_mcontext.gregs[REG_RIP] != 0);
}

int main(void)
{
	struct sigaction a = {.sa_handler = plain}, old;
	sigset_t set, pending;

	TRY(sigaction(SIGUSR1, &a, &old));
	TRY(raise(SIGUSR1));
	TRY(kill(getpid(), SIGUSR1));
	printf("count %d\n", (int)count);
	a.sa_flags = SA_SIGINFO | SA_NODEFER;
	a.sa_sigaction = info;
	TRY(sigaction(SIGRTMIN + 1, &a, NULL));
	TRY(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 42}));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 1);
	TRY(sigprocmask(SIG_BLOCK, &set, NULL));
	TRY(raise(SIGUSR1));
	for (int i = 0; i < 3; i++)
		TRY(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}));
	TRY(sigpending(&pending));
	printf("pending %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	sigdelset(&set, SIGRTMIN + 1);
	TRY(sigsuspend(&set));
	sigemptyset(&set);
	TRY(sigprocmask(SIG_SETMASK, &set, NULL));
	printf("count %d\n", (int)count);
	signal(SIGUSR2, SIG_IGN);
	TRY(raise(SIGUSR2));
	TRY(kill(getpid(), 0));
	return 0;
}
