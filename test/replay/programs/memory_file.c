/* SPDX-License-Identifier: MIT
 * The process writes its own memory through a file.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	static volatile char text[] = "before\n";
	int fd = open("/proc/self/mem", O_RDWR);

	pwrite(fd, "after!\n", 7, (off_t)(unsigned long)text);
	write(1, (const void *)text, 7);
	return fd < 0;
}
