/* SPDX-License-Identifier: MIT
 * posix_spawn (vfork) and waitid.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

extern char **environ;

int main(void)
{
	char *yes[] = {"true", NULL}, *no[] = {"false", NULL};
	siginfo_t si = {0};
	pid_t pid;

	TRY(posix_spawn(&pid, "/bin/true", NULL, NULL, yes, environ));
	printf("pid %d\n", (int)pid);
	TRY(waitid(P_PID, (id_t)pid, &si, WEXITED));
	printf("code %d status %d pid %d\n", si.si_code, si.si_status, si.si_pid);
	TRY(posix_spawnp(&pid, "false", NULL, NULL, no, environ));
	TRY(waitid(P_ALL, 0, &si, WEXITED));
	printf("code %d status %d pid %d\n", si.si_code, si.si_status, si.si_pid);
	TRY(posix_spawn(&pid, "/missing", NULL, NULL, yes, environ));
	return 0;
}
