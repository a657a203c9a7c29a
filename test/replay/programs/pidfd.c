/* SPDX-License-Identifier: MIT
 * A process as a descriptor.
 */
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct pollfd p = {.events = POLLIN};
	int fd;

	signal(SIGUSR1, SIG_IGN);
	fd = TRY(syscall(SYS_pidfd_open, getpid(), 0));
	p.fd = fd;
	TRY(poll(&p, 1, 0));
	TRY(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	TRY(syscall(SYS_pidfd_getfd, fd, 0, 0));
	TRY(syscall(SYS_pidfd_open, -1, 0));
	return 0;
}
