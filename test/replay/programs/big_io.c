/* SPDX-License-Identifier: MIT
 * Reads and writes larger than any buffer of the recorder.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

static char buf[1 << 20];

int main(void)
{
	unsigned state = 12345, sum = 0;
	int fd = TRY(open("big", O_RDWR | O_CREAT, 0600)),
	    zero = TRY(open("/dev/urandom", O_RDONLY));

	for (size_t i = 0; i < sizeof(buf); i++) {
		state = state * 1103515245 + 12345;
		buf[i] = (char)('a' + (state >> 16) % 26);
	}
	TRY(write(fd, buf, sizeof(buf)));
	memset(buf, 0, sizeof(buf));
	TRY(pread(fd, buf, sizeof(buf), 0));
	for (size_t i = 0; i < sizeof(buf); i++)
		sum = sum * 31 + (unsigned char)buf[i];
	printf("sum %x\n", sum);
	fflush(stdout);
	TRY(write(1, buf, 300000));
	TRY(read(zero, buf, 400000));
	for (size_t i = 0; i < 400000; i++)
		sum = sum * 31 + (unsigned char)buf[i];
	printf("sum %x\n", sum);
	return 0;
}
