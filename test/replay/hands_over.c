/* SPDX-License-Identifier: MIT
 *
 * What another build has of its own: shared memory of both kinds, and a program that takes its
 * place. -DARGUMENT: what that is given; -DVALUE: what it finds in its environment.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef ARGUMENT
#define ARGUMENT "one"
#endif
#ifndef VALUE
#define VALUE "V=one"
#endif

static void use(char *memory)
{
	strcpy(memory, "shared\n");
	write(1, memory, strlen(memory));
}

int main(int argc, char **argv)
{
	int fd = memfd_create("shared", 0);
	char *const args[] = {"echo", ARGUMENT, NULL};
	char *const env[] = {VALUE, NULL};

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return 1;
	use(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	use(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	execve("/nowhere/echo", args, env);
	if (argc > 1)
		execve(argv[1], args, env);
	return 0;
}
