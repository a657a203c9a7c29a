/* SPDX-License-Identifier: MIT
 * Signals read from a descriptor.
 */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct signalfd_siginfo si;
	union sigval value = {.sival_int = 4711};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	TRY(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = TRY(signalfd(-1, &set, SFD_NONBLOCK));
	TRY(read(fd, &si, sizeof(si)));
	TRY(kill(getpid(), SIGUSR1));
	TRY(sigqueue(getpid(), SIGRTMIN, value));
	for (int i = 0; i < 2; i++) {
		TRY(read(fd, &si, sizeof(si)));
		printf("sig %u code %d pid %u uid %u int %d\n", si.ssi_signo, si.ssi_code,
		       si.ssi_pid, si.ssi_uid, si.ssi_int);
	}
	return 0;
}
