/* SPDX-License-Identifier: MIT
 * Children waited for in all ways: left in place, stopped, continued, with what they used.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	siginfo_t info = {0};
	struct rusage usage;
	pid_t pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(3);
	}
	TRY(waitid(P_PID, pid, &info, WSTOPPED));
	printf("stopped by %d: %d\n", info.si_status, info.si_pid == pid);
	TRY(kill(pid, SIGCONT));
	TRY(waitid(P_ALL, 0, &info, WCONTINUED));
	printf("continued: %d\n", info.si_code == CLD_CONTINUED);
	TRY(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	printf("exit %d\n", info.si_status);
	TRY(syscall(SYS_waitid, P_PID, pid, &info, WEXITED, &usage));
	hex("usage", &usage, sizeof usage);
	TRY(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
	return 0;
}
