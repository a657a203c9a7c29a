/* SPDX-License-Identifier: MIT
 * Renames, with exchange and without replacement.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	TRY(write(fd, name, strlen(name)));
	close(fd);
}

int main(void)
{
	char buf[8] = "";
	int fd;

	make("p");
	make("q");
	TRY(renameat2(AT_FDCWD, "p", AT_FDCWD, "q", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "p", AT_FDCWD, "q", RENAME_EXCHANGE));
	fd = TRY(open("p", O_RDONLY));
	TRY(read(fd, buf, 1));
	printf("[%s]\n", buf);
	TRY(rename("p", "q"));
	TRY(rename("p", "q"));
	TRY(renameat(AT_FDCWD, "q", AT_FDCWD, "r"));
	TRY(unlink("r"));
	return 0;
}
