/* SPDX-License-Identifier: MIT
 * Writes to a file from where the same part of it is mapped, and reads into it.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

static void show(const char *mapped)
{
	unsigned sum = 0;

	for (int i = 0; i < 3 * 65536; i++)
		sum = sum * 31 + (unsigned char)mapped[i];
	printf("%08x %.24s\n", sum, mapped + 200);
}

int main(void)
{
	int fd = open("own", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *mapped, *copy;

	ftruncate(fd, 3 * 65536);
	mapped = mmap(NULL, 3 * 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copy = mmap(NULL, 3 * 65536, PROT_READ, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < 65536; i++)
		mapped[i] = 'a' + i % 23;
	TRY(pwrite(fd, mapped + 200, 10, 205));
	show(mapped);
	TRY(pwrite(fd, mapped + 200, 10, 195));
	show(mapped);
	TRY(pwrite(fd, copy + 200, 12, 204));
	show(mapped);
	TRY(pread(fd, mapped + 203, 10, 200));
	show(mapped);
	TRY(pwrite(fd, mapped + 210, 5, 210));
	show(mapped);
	TRY(pwrite(fd, mapped, 4096, 100));
	show(mapped);
	TRY(pwrite(fd, mapped, 2 * 65536, 65536 - 7));
	show(mapped);
	lseek(fd, 300, SEEK_SET);
	TRY(writev(fd, (struct iovec[]){{mapped + 290, 20}, {"abc", 3}, {mapped + 310, 30}}, 3));
	show(mapped);
	TRY(preadv(fd, (struct iovec[]){{mapped + 290, 20}, {mapped + 300, 30}}, 2, 280));
	show(mapped);
	return 0;
}
