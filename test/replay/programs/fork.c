/* SPDX-License-Identifier: MIT
 * A child that answers through a pipe.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct rusage u;
	char buf[64] = "";
	int fds[2], status;
	pid_t pid;

	TRY(pipe(fds));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		int n = snprintf(buf, sizeof(buf), "child %d of %d", (int)getpid(), (int)getppid());

		_exit(write(fds[1], buf, (size_t)n) == n ? 7 : 1);
	}
	printf("forked %d\n", (int)pid);
	close(fds[1]);
	TRY(read(fds[0], buf, sizeof(buf)));
	printf("[%s]\n", buf);
	TRY(wait4(pid, &status, 0, &u));
	printf("status %x maxrss %ld\n", status, u.ru_maxrss);
	TRY(waitpid(-1, &status, WNOHANG));
	return 0;
}
