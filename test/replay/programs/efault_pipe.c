/* SPDX-License-Identifier: MIT
 * A read that gives EFAULT behind bytes that it has stored: nobody recorded those.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	munmap(pages + 4096, 4096);
	if (pipe(fd) < 0 || write(fd[1], "0123456789", 10) != 10)
		return 1;
	read(fd[0], pages + 4092, 10);
	write(1, pages + 4092, 4);
	return 0;
}
