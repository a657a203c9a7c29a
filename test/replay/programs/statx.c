/* SPDX-License-Identifier: MIT
 * statx, statfs and the times of files.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec times[2] = {{1000000000, 123456789}, {1111111111, 987654321}};
	struct statx sx;
	struct statfs fs;
	struct stat st;
	int fd = TRY(open("t", O_RDWR | O_CREAT, 0600));

	memset(&sx, 0, sizeof(sx));
	TRY(statx(AT_FDCWD, "input.txt", 0, STATX_ALL, &sx));
	printf("mask %x ino %llu size %llu btime %lld.%09u dev %u:%u attr %llx\n", sx.stx_mask,
	       (unsigned long long)sx.stx_ino, (unsigned long long)sx.stx_size,
	       (long long)sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec, sx.stx_dev_major,
	       sx.stx_dev_minor, (unsigned long long)sx.stx_attributes);
	TRY(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
	hex("raw", &sx, 64);
	TRY(statfs("/", &fs));
	printf("type %lx free %lu files %lu\n", (long)fs.f_type, (unsigned long)fs.f_bfree,
	       (unsigned long)fs.f_ffree);
	TRY(fstatfs(fd, &fs));
	TRY(utimensat(AT_FDCWD, "t", times, 0));
	TRY(fstat(fd, &st));
	printf("mtime %ld.%09ld\n", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	TRY(futimens(fd, NULL));
	TRY(utimes("missing", NULL));
	return 0;
}
