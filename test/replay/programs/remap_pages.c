/* SPDX-License-Identifier: MIT
 * Pages of a file in another order.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = open("data", O_RDWR | O_CREAT, 0600);
	char *m;

	ftruncate(fd, 8192);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[0] = 'a';
	m[4096] = 'b';
	TRY(remap_file_pages(m, 4096, 0, 1, 0));
	printf("%c%c\n", m[0], m[4096]);
	return 0;
}
