/* SPDX-License-Identifier: MIT
 * A single write and a single read of 20 MiB.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

#define LEN (20u << 20)

int main(void)
{
	unsigned char *data = malloc(LEN);
	unsigned sum = 0, state = 1;
	int fd = open("big.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (unsigned i = 0; i < LEN; i++)
		data[i] = (state = state * 1103515245u + 12345u) >> 16;
	TRY(write(fd, data, LEN));
	memset(data, 0, LEN);
	TRY(pread(fd, data, LEN, 0));
	for (unsigned i = 0; i < LEN; i++)
		sum = sum * 31 + data[i];
	printf("sum: %08x\n", sum);
	return 0;
}
