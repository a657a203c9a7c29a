/* SPDX-License-Identifier: MIT
 * A write to a pipe without a reader: an error first, then the end.
 */
#include <signal.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	int fds[2];

	setvbuf(stdout, NULL, _IONBF, 0);
	TRY(pipe(fds));
	TRY(close(fds[0]));
	signal(SIGPIPE, SIG_IGN);
	TRY(write(fds[1], "x", 1));
	signal(SIGPIPE, SIG_DFL);
	TRY(write(fds[1], "x", 1));
	return 0;
}
