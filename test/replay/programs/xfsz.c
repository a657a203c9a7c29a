/* SPDX-License-Identifier: MIT
 * A file that may not grow: an error, then the end by SIGXFSZ.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct rlimit limit = {4096, 4096};
	char block[8192] = "";
	int fd = open("short.bin", O_RDWR | O_CREAT, 0600);

	setvbuf(stdout, NULL, _IONBF, 0);
	TRY(setrlimit(RLIMIT_FSIZE, &limit));
	TRY(write(fd, block, sizeof block));
	signal(SIGXFSZ, SIG_IGN);
	TRY(write(fd, block, 10));
	signal(SIGXFSZ, SIG_DFL);
	TRY(write(fd, block, 10));
	return 0;
}
