/* SPDX-License-Identifier: MIT
 * Random bytes, the time with and without a system call, its pid, a folder, a file's attributes
 * and a mapped file, in one program.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static void show_folder(void)
{
	DIR *dir = opendir(".");
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		printf("%lu %s\n", (unsigned long)d->d_ino, d->d_name);
	if (dir)
		closedir(dir);
}

int main(void)
{
	unsigned char buf[32];
	struct timespec t;
	struct stat st;
	const char *map;
	int fd = TRY(open("/dev/urandom", O_RDONLY));

	TRY(read(fd, buf, sizeof(buf)));
	hex("urandom", buf, sizeof(buf));
	clock_gettime(CLOCK_REALTIME, &t);
	printf("vdso %ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	TRY(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
	printf("call %ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	TRY(getpid());
	show_folder();
	fd = TRY(open("input.txt", O_RDONLY));
	TRY(fstat(fd, &st));
	printf("ino %lu size %ld mtime %ld.%09ld\n", (unsigned long)st.st_ino, (long)st.st_size,
	       (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("%p [%.17s]\n", (const void *)map, map + st.st_size - 17);
	return 0;
}
