/* SPDX-License-Identifier: MIT
 * A folder that takes many calls to list, with a small buffer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char name[32], buffer[400];
	int fd, total = 0;
	long n;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "entry%03d", i);
		close(open(name, O_CREAT | O_RDWR, 0600));
	}
	fd = open(".", O_RDONLY | O_DIRECTORY);
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < n; at += ((struct dirent *)(buffer + at))->d_reclen)
			total++;
	printf("entries: %d\n", total);
	TRY(syscall(SYS_getdents64, fd, buffer, 1));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(syscall(SYS_getdents64, fd, buffer, 8));
	return 0;
}
