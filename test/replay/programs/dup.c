/* SPDX-License-Identifier: MIT
 * Copies of descriptors and closing many.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[8] = "";
	int fd = TRY(open("input.txt", O_RDONLY)), a, b;

	a = TRY(dup(fd));
	b = TRY(dup2(fd, 100));
	TRY(dup3(fd, 101, O_CLOEXEC));
	TRY(dup3(fd, fd, 0));
	TRY(read(a, buf, 4));
	TRY(read(b, buf + 4, 3));
	printf("[%s]\n", buf);
	TRY(close_range(100, 200, 0));
	TRY(close(100));
	TRY(dup2(1, 1));
	a = TRY(dup(1));
	printf("through stdout\n");
	fflush(stdout);
	TRY(dprintf(a, "through a copy of it\n"));
	return 0;
}
