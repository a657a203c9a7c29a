/* SPDX-License-Identifier: MIT
 * Names relative to descriptors, resolved with conditions, exchanged, linked without a name.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
	int dir, fd;

	TRY(mkdir("dir", 0700));
	dir = open("dir", O_RDONLY | O_DIRECTORY);
	TRY(syscall(437 /* openat2 */, dir, "../input.txt", &how, sizeof how));
	how.resolve = 0;
	fd = syscall(437, dir, "../input.txt", &how, sizeof how);
	TRY(fd >= 0);
	TRY(symlinkat("../input.txt", dir, "link"));
	TRY(faccessat(dir, "link", R_OK, AT_SYMLINK_NOFOLLOW));
	TRY(syscall(439 /* faccessat2 */, dir, "link", R_OK, AT_SYMLINK_NOFOLLOW));
	TRY(syscall(SYS_renameat2, dir, "link", AT_FDCWD, "input.txt", 2 /* RENAME_EXCHANGE */));
	TRY(readlinkat(AT_FDCWD, "input.txt", (char[64]){0}, 64));
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	TRY(fd >= 0);
	TRY(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	TRY(unlinkat(dir, "link", 0));
	TRY(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
	TRY(mknod("fifo", S_IFIFO | 0600, 0));
	TRY(fchmodat(AT_FDCWD, "fifo", 0640, 0));
	TRY(utimensat(AT_FDCWD, "fifo", NULL, AT_SYMLINK_NOFOLLOW));
	return 0;
}
