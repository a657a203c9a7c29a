/* SPDX-License-Identifier: MIT
 * getdents64 that gives the entries that have a place, and has stored the begin of the next.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end();
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	memset(end - 60, 'a', 60);
	TRY(syscall(SYS_getdents64, fd, end - 60, 4096));
	hex("entries", end - 60, 60);
	return 0;
}
