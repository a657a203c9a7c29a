/* SPDX-License-Identifier: MIT
 * Standard output by another name, closed by an exec as flags behind a pointer say; its number then
 * belongs to a file.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct open_how how = {.flags = O_WRONLY | O_APPEND | O_CLOEXEC};
	char *const again[] = {argv[0], "again", NULL};
	int fd;

	if (argc == 1) {
		open("/dev/null", O_RDONLY | O_CLOEXEC); /* a number for the loader's files */
		fd = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/stdout", &how, sizeof how);
		write(fd, "shown\n", 6);
		execv("/proc/self/exe", again);
		return 1;
	}
	open("/dev/null", O_RDONLY);
	fd = open("file", O_WRONLY | O_CREAT, 0600);
	return write(fd, "not shown\n", 10) != 10;
}
