/* SPDX-License-Identifier: MIT
 * Standard output by its other names, and a copy of that. A file is opened anew by them, at its begin,
 * so they append.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = open("/dev/stdout", O_WRONLY | O_APPEND);
	int other = open("/proc/self/fd/1", O_WRONLY | O_APPEND);

	write(1, "one\n", 4);
	write(fd, "two\n", 4);
	write(other, "three\n", 6);
	dup2(fd, 1);
	write(1, "four\n", 5);
	return fd < 0 || other < 0;
}
