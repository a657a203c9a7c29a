/* SPDX-License-Identifier: MIT
 * A file mapped shared and written by this process alone.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[16] = "";
	int fd = TRY(open("shared", O_RDWR | O_CREAT, 0600));
	char *map;

	TRY(ftruncate(fd, 8192));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	printf("map %p\n", (void *)map);
	memcpy(map + 4090, "across pages", 12);
	TRY(msync(map, 8192, MS_SYNC));
	TRY(pread(fd, buf, 12, 4090));
	printf("[%s]\n", buf);
	TRY(munmap(map, 8192));
	return 0;
}
