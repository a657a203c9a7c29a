/* SPDX-License-Identifier: MIT
 * Children by clone and clone3, with their numbers in memory and as descriptors.
 */
#include <linux/sched.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

#define SIGCHLD_NUMBER 17

int main(void)
{

	struct clone_args args = {0};
	int tid = -1, fd = -1;
	long pid;

	pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD_NUMBER, 0, &tid, 0, 0);
	if (pid == 0)
		_exit(1);
	printf("settid: %d\n", tid == pid);
	TRY(waitpid(pid, NULL, 0) == pid);
	pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD_NUMBER, 0, &fd, 0, 0);
	if (pid == 0)
		_exit(2);
	printf("pidfd: %d\n", fd);
	TRY(waitpid(pid, NULL, 0) == pid);
	args.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND;
	args.pidfd = (unsigned long)&fd;
	args.parent_tid = (unsigned long)&tid;
	args.exit_signal = SIGCHLD_NUMBER;
	pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(3);
	printf("clone3: %d, pidfd %d\n", tid == pid, fd);
	TRY(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1));
	TRY(waitid(P_PIDFD, fd, &(siginfo_t){0}, WEXITED));
	/* An address that nothing is to be written to. */
	pid = syscall(SYS_clone, SIGCHLD_NUMBER, 0, 8, 8, 0);
	if (pid == 0)
		_exit(4);
	TRY(waitpid(pid, NULL, 0) == pid);
	return 0;
}
