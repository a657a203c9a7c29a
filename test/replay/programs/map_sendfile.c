/* SPDX-License-Identifier: MIT
 * The kernel itself brings bytes into a file that is mapped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = open("data", O_RDWR | O_CREAT, 0600), from = open("input.txt", O_RDONLY);
	char *m;

	write(fd, "begin.....", 10);
	m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	TRY(sendfile(fd, from, NULL, 100));
	printf("[%s]\n", m);
	return 0;
}
