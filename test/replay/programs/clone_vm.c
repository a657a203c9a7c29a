/* SPDX-License-Identifier: MIT
 * A child that shares the memory and runs on: refused by name.
 */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

static volatile int shared;

static int child(void *argument)
{
	shared = 7;
	return 0;
}

int main(void)
{

	char *stack = malloc(65536);
	int pid = clone(child, stack + 65536, CLONE_VM | 17, NULL);

	TRY(waitpid(pid, NULL, 0) == pid);
	printf("shared: %d\n", shared);
	return 0;
}
