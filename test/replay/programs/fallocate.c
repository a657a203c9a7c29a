/* SPDX-License-Identifier: MIT
 * Space reserved, holes punched and found.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct stat st;
	int fd = TRY(open("f", O_RDWR | O_CREAT, 0600));

	TRY(fallocate(fd, 0, 0, 65536));
	TRY(pwrite(fd, "data", 4, 40000));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 32768));
	TRY(fstat(fd, &st));
	printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 0, SEEK_HOLE));
	TRY(posix_fallocate(fd, 65536, 4096));
	TRY(fallocate(fd, 0, -1, 5));
	TRY(unlink("f"));
	return 0;
}
