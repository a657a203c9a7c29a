/* SPDX-License-Identifier: MIT
 * A file that is mapped again and again while the process writes to it and stores in it.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[32] = "";
	int fd = TRY(open("data", O_RDWR | O_CREAT, 0600)), reader;
	char *first, *second, *third;

	/* Mapped while it is empty. */
	first = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRY(write(fd, "first state of the file", 23));
	printf("%s\n", first);
	second = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	TRY(pwrite(fd, "SECOND", 6, 0));
	printf("%s, %s\n", first, second);
	strcpy(first + 6, "by a store");
	third = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	printf("%s, %s, %s\n", first, second, third);
	TRY(munmap(third, 8192));
	TRY(munmap(second, 8192));
	strcpy(first, "before it is gone");
	TRY(munmap(first, 8192));
	TRY(pwrite(fd, "B", 1, 0));
	first = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("%s\n", first);
	reader = TRY(open("data", O_RDONLY));
	TRY(read(reader, buf, 20));
	printf("[%s]\n", buf);
	/* Another file of the same name, and perhaps of the same inode. */
	TRY(munmap(first, 4096));
	close(reader);
	close(fd);
	TRY(unlink("data"));
	fd = TRY(open("data", O_RDWR | O_CREAT, 0600));
	TRY(write(fd, "another file", 12));
	first = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	printf("%s\n", first);
	strcpy(mremap(first, 4096, 8192, MREMAP_MAYMOVE), "moved file");
	TRY(pread(fd, buf, 12, 0));
	printf("[%s]\n", buf);
	return 0;
}
