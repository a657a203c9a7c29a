/* SPDX-License-Identifier: MIT
 * A file with holes: made, found, filled, cut.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	int fd = open("holes.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char block[4096];
	struct stat st;

	memset(block, 'b', sizeof block);
	TRY(ftruncate(fd, 1 << 20));
	TRY(pwrite(fd, block, sizeof block, 65536));
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 65536, SEEK_HOLE));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096));
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 8192));
	TRY(fallocate(fd, 0, 0, 16384));
	TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	TRY(fstat(fd, &st));
	printf("%ld bytes, %d blocks\n", (long)st.st_size, st.st_blocks > 0);
	TRY(sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
	TRY(readahead(fd, 0, 4096));
	TRY(truncate("holes.bin", 100));
	return 0;
}
