/* SPDX-License-Identifier: MIT
 * What fcntl asks and sets: owners, locks of open files, pipes, hints, seals.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct f_owner_ex owner = {F_OWNER_PID, getpid()};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	unsigned long hint = 2;
	int fds[2], fd = open("input.txt", O_RDWR), memory = memfd_create("m", MFD_ALLOW_SEALING);

	TRY(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	TRY(fcntl(fds[0], F_GETFL));
	TRY(fcntl(fds[0], F_GETFD));
	TRY(fcntl(fds[0], F_SETPIPE_SZ, 65536));
	TRY(fcntl(fds[0], F_GETPIPE_SZ));
	TRY(fcntl(fds[0], F_SETOWN_EX, &owner));
	TRY(fcntl(fds[0], F_GETOWN_EX, &owner));
	printf("%d %d\n", owner.type, owner.pid);
	TRY(fcntl(fds[0], F_SETSIG, SIGUSR1));
	TRY(fcntl(fds[0], F_GETSIG));
	TRY(fcntl(fd, F_OFD_SETLK, &lock));
	lock.l_pid = 0;
	TRY(fcntl(open("input.txt", O_RDWR), F_OFD_GETLK, &lock));
	printf("%d %ld %ld %d\n", lock.l_type, (long)lock.l_start, (long)lock.l_len, lock.l_pid);
	TRY(fcntl(fd, F_SET_RW_HINT, &hint));
	hint = 0;
	TRY(fcntl(fd, F_GET_RW_HINT, &hint));
	printf("hint: %lu\n", hint);
	TRY(fcntl(memory, F_ADD_SEALS, F_SEAL_GROW));
	TRY(fcntl(memory, F_GET_SEALS));
	TRY(ftruncate(memory, 100));
	TRY(fcntl(fd, F_DUPFD_CLOEXEC, 100));
	TRY(fcntl(fd, F_GETLEASE));
	return 0;
}
