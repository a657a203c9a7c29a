/* SPDX-License-Identifier: MIT
 * select and pselect, with the time that is left.
 */
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timeval t = {0, 3000};
	struct timespec ts = {1, 0};
	fd_set r, w;
	int fds[2];

	TRY(pipe(fds));
	FD_ZERO(&r);
	FD_SET(fds[0], &r);
	TRY(select(fds[0] + 1, &r, NULL, NULL, &t));
	printf("%d left %ld.%06ld\n", FD_ISSET(fds[0], &r), (long)t.tv_sec, (long)t.tv_usec);
	TRY(write(fds[1], "a", 1));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(fds[0], &r);
	FD_SET(fds[1], &w);
	t.tv_sec = 5;
	TRY(select(fds[1] + 1, &r, &w, NULL, &t));
	printf("%d %d left %ld.%06ld\n", FD_ISSET(fds[0], &r), FD_ISSET(fds[1], &w), (long)t.tv_sec,
	       (long)t.tv_usec);
	TRY(pselect(fds[0] + 1, &r, NULL, NULL, &ts, NULL));
	FD_SET(900, &r);
	TRY(select(901, &r, NULL, NULL, &t));
	return 0;
}
