/* SPDX-License-Identifier: MIT
 * Another program writes to a file that the process has mapped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = open("data", O_RDWR | O_CREAT, 0600);
	char *m;

	write(fd, "own       \n", 11);
	m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (!fork()) {
		execl("/bin/sh", "sh", "-c", "printf foreign >>data", NULL);
		_exit(1);
	}
	wait(NULL);
	printf("[%s]\n", m);
	return 0;
}
