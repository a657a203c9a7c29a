/* SPDX-License-Identifier: MIT
 * Programs that cannot be run, for all kinds of reasons, and what stays.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char *argv[] = {"program", NULL};
	int fd = open("garbage", O_RDWR | O_CREAT, 0700);

	TRY(write(fd, "\177ELF no program", 16));
	close(fd);
	TRY(execve("garbage", argv, NULL));
	TRY(execve("input.txt", argv, NULL));
	TRY(execve(".", argv, NULL));
	TRY(execve("/nonexistent", argv, NULL));
	fd = open("script", O_RDWR | O_CREAT, 0700);
	TRY(write(fd, "#!/nonexistent\n", 15));
	close(fd);
	TRY(execve("script", argv, NULL));
	TRY(syscall(SYS_execveat, AT_FDCWD, "garbage", argv, NULL, 0));
	TRY(execve("garbage", (char **)8, NULL));
	printf("still here\n");
	return 0;
}
