/* SPDX-License-Identifier: MIT
 * Runs itself again with other arguments and environment.
 */
#include <unistd.h>

#include "show.h"

extern char **environ;

int main(int argc, char **argv)
{
	char *args[] = {argv[0], "second", "round", NULL}, *env[] = {"ROUND=2", NULL};

	printf("pid %d argc %d", (int)getpid(), argc);
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf(" ROUND=%s main %p stack %p\n", getenv("ROUND"), (void *)main, (void *)&args);
	fflush(stdout);
	if (argc > 1)
		return 5;
	TRY(execve("/missing", args, env));
	fflush(stdout);
	execve("/proc/self/exe", args, env);
	return 1;
}
