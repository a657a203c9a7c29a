/* SPDX-License-Identifier: MIT
 * Reads and writes with flags, positions and parts of no length.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char a[5] = "", b[7] = "";
	struct iovec iov[3] = {{a, 5}, {NULL, 0}, {b, 7}};
	int fd = open("input.txt", O_RDWR);

	TRY(preadv2(fd, iov, 3, 3, 0));
	printf("%.5s|%.7s\n", a, b);
	TRY(preadv2(fd, iov, 3, -1, RWF_HIPRI) >= -1);
	TRY(pwritev2(fd, iov, 3, 0, RWF_DSYNC));
	TRY(pwritev(fd, iov, 1, 20));
	TRY(preadv(fd, iov, 3, 1 << 20));
	TRY(readv(fd, iov, 0));
	TRY(readv(fd, iov, -1));
	TRY(read(fd, (void *)8, 10));
	TRY(write(fd, (void *)8, 10));
	return 0;
}
