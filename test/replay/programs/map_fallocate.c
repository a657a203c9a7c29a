/* SPDX-License-Identifier: MIT
 * Holes, zeros, and pieces taken out of and put into a file that is mapped.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char block[4096];
	char *map, *copy;
	int fd = TRY(open("data", O_RDWR | O_CREAT, 0600));
	static const int modes[] = {0,
				    FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_ZERO_RANGE,
				    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_INSERT_RANGE,
				    FALLOC_FL_COLLAPSE_RANGE,
				    FALLOC_FL_UNSHARE_RANGE};

	for (int i = 0; i < 6; i++) {
		memset(block, 'a' + i, sizeof block);
		TRY(write(fd, block, sizeof block));
	}
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copy = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	copy[8192 + 1] = '!';
	copy[20480 + 1] = '?';
	for (int i = 0; i < (int)(sizeof modes / sizeof *modes); i++) {
		long rc = TRY(fallocate(fd, modes[i], 8192, 4096));

		if (rc < 0)
			continue;
		printf("mode %d:", modes[i]);
		for (int k = 0; k < 5; k++)
			printf(" %d/%d", map[k * 4096], copy[k * 4096 + 1]);
		printf("\n");
	}
	TRY(fallocate(fd, 0, 0, 65536));
	printf("%d %ld\n", map[65535], (long)lseek(fd, 0, SEEK_END));
	TRY(madvise(map, 4096, MADV_REMOVE));
	printf("%d %d\n", map[0], copy[0]);
	return 0;
}
