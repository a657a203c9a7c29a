/* SPDX-License-Identifier: MIT
 * To be run in a pid namespace, where the numbers that calls give are not those of the host.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/show.h"

extern char **environ;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	printf("signal %d from %d\n", sig, info->si_pid);
}

int main(void)
{
	char *nothing[] = {"nothing", NULL};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	pid_t pid;

	TRY(getpid());
	TRY(getppid() > 0);
	TRY(syscall(SYS_gettid));
	sigaction(SIGUSR1, &action, NULL);
	TRY(kill(getpid(), SIGUSR1));
	TRY(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, nothing, environ));
	TRY(posix_spawn(&pid, "/bin/true", NULL, NULL, nothing, environ));
	TRY(waitpid(pid, NULL, 0));
	pid = vfork();
	if (pid == 0)
		_exit(7);
	printf("vfork: %d\n", pid);
	TRY(wait(NULL));
	return 0;
}
