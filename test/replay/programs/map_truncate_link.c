/* SPDX-License-Identifier: MIT
 * A mapped file loses its content by a call that names it by another name.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = open("data", O_RDWR | O_CREAT, 0600);
	char *m;

	TRY(write(fd, "0123456789", 10));
	m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	TRY(symlink("data", "other"));
	TRY(truncate("other", 4));
	TRY(truncate("other", 10));
	for (int i = 0; i < 10; i++)
		putchar(m[i] ? m[i] : '-');
	putchar('\n');
	return 0;
}
