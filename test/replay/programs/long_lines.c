/* SPDX-License-Identifier: MIT
 * Output in all ways: of no length, of a megabyte, to a full pipe.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	static char text[1 << 20];
	int fds[2], n;

	memset(text, 'x', sizeof text);
	TRY(write(1, text, 0));
	TRY(pipe2(fds, O_NONBLOCK));
	TRY(write(fds[1], text, sizeof text));
	TRY(write(fds[1], text, 1));
	while ((n = read(fds[0], text, sizeof text)) > 0)
		printf("read %d\n", n);
	fflush(stdout);
	for (size_t done = 0; done < sizeof text; done += n)
		if ((n = write(1, text + done, sizeof text - done)) <= 0)
			return 1;
	return 0;
}
