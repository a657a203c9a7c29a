/* SPDX-License-Identifier: MIT
 * Vectored reads and writes.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char a[5] = "", b[7] = "", c[64] = "";
	struct iovec in[3] = {{a, 4}, {b, 6}, {c, 60}};
	struct iovec out[3] = {{"one", 3}, {"", 0}, {"three", 5}};
	int fd = TRY(open("v", O_RDWR | O_CREAT, 0600)), f = TRY(open("input.txt", O_RDONLY));

	TRY(writev(fd, out, 3));
	TRY(pwritev(fd, out, 3, 100));
	TRY(pwritev2(fd, out, 1, -1, RWF_DSYNC));
	TRY(readv(f, in, 3));
	printf("[%s] [%s] [%s]\n", a, b, c);
	TRY(preadv(fd, in, 3, 98));
	hex("a", a, 4);
	hex("b", b, 6);
	TRY(preadv2(fd, in, 2, 0, 0));
	printf("[%.4s] [%.6s]\n", a, b);
	TRY(readv(-1, in, 3));
	return 0;
}
