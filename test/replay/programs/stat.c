/* SPDX-License-Identifier: MIT
 * The stat family.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

static void show(const char *what, const struct stat *s)
{
	printf("%s: dev %lu ino %lu mode %o nlink %lu uid %u gid %u size %ld blocks %ld\n", what,
	       (unsigned long)s->st_dev, (unsigned long)s->st_ino, s->st_mode,
	       (unsigned long)s->st_nlink, s->st_uid, s->st_gid, (long)s->st_size,
	       (long)s->st_blocks);
	printf("  %ld.%09ld %ld.%09ld %ld.%09ld\n", s->st_atim.tv_sec, s->st_atim.tv_nsec,
	       s->st_mtim.tv_sec, s->st_mtim.tv_nsec, s->st_ctim.tv_sec, s->st_ctim.tv_nsec);
}

int main(void)
{
	struct stat st;
	int fd = TRY(open("input.txt", O_RDONLY));

	if (TRY(stat("input.txt", &st)) == 0)
		show("stat", &st);
	if (TRY(lstat("/proc/self", &st)) == 0)
		show("lstat", &st);
	if (TRY(fstat(fd, &st)) == 0)
		show("fstat", &st);
	if (TRY(fstat(1, &st)) == 0)
		show("stdout", &st);
	if (TRY(fstatat(AT_FDCWD, "..", &st, AT_SYMLINK_NOFOLLOW)) == 0)
		show("fstatat", &st);
	TRY(stat("missing", &st));
	TRY(access("input.txt", R_OK));
	TRY(access("input.txt", X_OK));
	TRY(faccessat(AT_FDCWD, "missing", F_OK, 0));
	TRY(euidaccess("input.txt", W_OK));
	return 0;
}
