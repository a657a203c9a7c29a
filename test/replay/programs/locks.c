/* SPDX-License-Identifier: MIT
 * Locks on files, flags and copies of descriptors by fcntl.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10};
	int fd = TRY(open("l", O_RDWR | O_CREAT, 0600)), fd2 = TRY(open("l", O_RDWR));

	TRY(fcntl(fd, F_SETLK, &l));
	TRY(fcntl(fd, F_GETLK, &l));
	printf("%d %d %ld %ld %d\n", l.l_type, l.l_whence, (long)l.l_start, (long)l.l_len, l.l_pid);
	l = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET};
	TRY(fcntl(fd2, F_OFD_SETLK, &l));
	l.l_type = F_WRLCK;
	TRY(fcntl(fd2, F_OFD_GETLK, &l));
	printf("%d %d\n", l.l_type, l.l_pid);
	TRY(flock(fd, LOCK_EX));
	TRY(flock(fd2, LOCK_EX | LOCK_NB));
	TRY(flock(fd, LOCK_UN));
	TRY(lockf(fd, F_TEST, 3));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, O_APPEND));
	TRY(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_SETFD, FD_CLOEXEC));
	TRY(fcntl(fd, F_DUPFD, 50));
	TRY(fcntl(fd, F_DUPFD_CLOEXEC, 60));
	TRY(fcntl(fd, F_GETOWN));
	TRY(fcntl(fd, F_GETLEASE));
	TRY(fcntl(99, F_GETFL));
	return 0;
}
