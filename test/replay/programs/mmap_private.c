/* SPDX-License-Identifier: MIT
 * A file mapped privately: read, and written to its copy.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct stat st;
	int fd = TRY(open("input.txt", O_RDONLY));
	unsigned char *map, *second;
	unsigned sum = 0;

	TRY(fstat(fd, &st));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("map %p\n", (void *)map);
	for (long i = 0; i < st.st_size; i++)
		sum = sum * 31 + map[i];
	printf("sum %x tail %02x\n", sum, map[st.st_size]);
	second = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	printf("second %p\n", (void *)second);
	memcpy(second, "changed", 7);
	printf("[%.12s] [%.12s]\n", second, map + 4096);
	TRY(close(fd));
	TRY(msync(second, 4096, MS_ASYNC));
	TRY(munmap(map, (size_t)st.st_size));
	printf("[%.12s]\n", second);
	return 0;
}
