/* SPDX-License-Identifier: MIT
 * Pipes, their size, and writing to one without a reader.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	static char big[100000];
	char buf[32] = "";
	int fds[2], left = 0;

	TRY(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	printf("%d %d\n", fds[0], fds[1]);
	TRY(read(fds[0], buf, 5));
	TRY(write(fds[1], "hello pipe", 10));
	TRY(ioctl(fds[0], FIONREAD, &left));
	printf("left %d\n", left);
	TRY(read(fds[0], buf, sizeof(buf)));
	printf("[%s]\n", buf);
	TRY(fcntl(fds[1], F_GETPIPE_SZ));
	TRY(fcntl(fds[1], F_SETPIPE_SZ, 8192));
	memset(big, 'b', sizeof(big));
	TRY(write(fds[1], big, sizeof(big)));
	TRY(write(fds[1], big, sizeof(big)));
	TRY(close(fds[0]));
	signal(SIGPIPE, SIG_IGN);
	TRY(write(fds[1], "x", 1));
	TRY(read(fds[0], buf, 1));
	return 0;
}
