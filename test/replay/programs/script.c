/* SPDX-License-Identifier: MIT
 * A script that its interpreter runs: two programs in one exec.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char *argv[] = {"script", "argument", NULL};
	int fd = open("script", O_RDWR | O_CREAT, 0700);

	TRY(write(fd, "#!/bin/sh\necho \"$0 $1 $#\"\n", 27));
	close(fd);
	fflush(stdout);
	execv("./script", argv);
	return 0;
}
