/* SPDX-License-Identifier: MIT
 * epoll_wait that gives one event of two: of the second only the first field has a place, and is
 * stored.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end();
	int epoll = epoll_create1(0), fds[2];

	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event) < 0)
			return 1;
	}
	memset(end - 16, 'a', 16);
	TRY(epoll_wait(epoll, (struct epoll_event *)(end - 16), 2, 0));
	hex("events", end - 16, 16);
	return 0;
}
