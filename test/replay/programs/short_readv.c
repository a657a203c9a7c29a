/* SPDX-License-Identifier: MIT
 * readv of a pipe that gives what its first write brought: the second is stored up to where memory
 * ends, and stays in the pipe.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end(), first[4096];
	struct iovec iov[2] = {{first, sizeof first}, {end - 8, 32}};
	char text[4096] = "";
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], text, sizeof text) != sizeof text ||
	    write(fds[1], "0123456789abcdef", 16) != 16)
		return 1;
	memset(end - 8, '.', 8);
	TRY(readv(fds[0], iov, 2));
	write(1, end - 8, 8);
	printf("\n");
	return 0;
}
