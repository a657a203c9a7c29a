/* SPDX-License-Identifier: MIT
 * Makes and removes folders, relative to descriptors too.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct stat st;
	int dir, fd;

	TRY(mkdir("a", 0755));
	dir = TRY(open("a", O_RDONLY | O_DIRECTORY));
	TRY(mkdirat(dir, "b", 0700));
	fd = TRY(openat(dir, "b/file", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(write(fd, "hello", 5));
	TRY(fstatat(dir, "b/file", &st, 0));
	printf("size %ld ino %lu\n", (long)st.st_size, (unsigned long)st.st_ino);
	TRY(rmdir("a/b"));
	TRY(unlinkat(dir, "b/file", 0));
	TRY(unlinkat(dir, "b", AT_REMOVEDIR));
	TRY(rmdir("a"));
	TRY(mkdirat(dir, "late", 0700));
	fd = TRY(open(".", O_TMPFILE | O_RDWR, 0600));
	if (fd >= 0)
		TRY(write(fd, "x", 1));
	TRY(mkfifo("fifo", 0600));
	TRY(unlink("fifo"));
	return 0;
}
