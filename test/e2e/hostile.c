/* SPDX-License-Identifier: MIT
 * For hostile_text.sh: takes its first argument as its name, makes a file of that name with its
 * pid, sleeps a little, and says what its second argument is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char pid[16];
	int fd;

	if (argc != 3)
		return 2;
	prctl(PR_SET_NAME, argv[1]);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (fd < 0 || write(fd, pid, strlen(pid)) < 0)
		return 1;
	close(fd);
	usleep(50000);
	puts(argv[2]);
	return 0;
}
