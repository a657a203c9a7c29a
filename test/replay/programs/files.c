/* SPDX-License-Identifier: MIT
 * Reads, writes and positions in files.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[64] = "";
	int fd = TRY(open("out.txt", O_RDWR | O_CREAT | O_TRUNC, 0640));
	int in = TRY(open("input.txt", O_RDONLY));

	TRY(read(in, buf, 20));
	printf("[%.20s]\n", buf);
	TRY(write(fd, buf, 20));
	TRY(pwrite(fd, "XYZ", 3, 5));
	TRY(lseek(fd, 2, SEEK_SET));
	memset(buf, 0, sizeof(buf));
	TRY(read(fd, buf, sizeof(buf)));
	printf("[%s]\n", buf);
	TRY(pread(fd, buf, 4, 4));
	printf("[%.4s]\n", buf);
	TRY(ftruncate(fd, 7));
	TRY(truncate("out.txt", 6));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(sync_file_range(fd, 0, 6, SYNC_FILE_RANGE_WRITE));
	TRY(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL));
	TRY(readahead(in, 0, 4096));
	TRY(close(fd));
	TRY(read(fd, buf, 1));
	TRY(open("missing", O_RDONLY));
	TRY(unlink("out.txt"));
	return 0;
}
