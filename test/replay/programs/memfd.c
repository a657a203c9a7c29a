/* SPDX-License-Identifier: MIT
 * Anonymous files and their seals.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[16] = "";
	int fd = TRY(memfd_create("note", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char *m;

	TRY(write(fd, "in memory", 9));
	m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("%p [%s]\n", (void *)m, m);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(write(fd, "x", 1));
	TRY(ftruncate(fd, 2));
	TRY(pread(fd, buf, 9, 0));
	printf("[%s]\n", buf);
	return 0;
}
