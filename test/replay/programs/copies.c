/* SPDX-License-Identifier: MIT
 * Many small calls: a loop of reads and writes.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char c;
	unsigned sum = 0;
	int fd = open("input.txt", O_RDONLY), out = open("copy", O_WRONLY | O_CREAT, 0600);

	for (int i = 0; i < 3000 && read(fd, &c, 1) == 1; i++) {
		sum = sum * 31 + (unsigned char)c;
		if (write(out, &c, 1) != 1)
			return 1;
	}
	printf("%x\n", sum);
	return 0;
}
