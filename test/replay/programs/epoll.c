/* SPDX-License-Identifier: MIT
 * epoll: add, change, remove, level and edge.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
	int ep = TRY(epoll_create1(EPOLL_CLOEXEC)), fds[2], n;

	TRY(pipe(fds));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	TRY(epoll_wait(ep, got, 4, 2));
	TRY(write(fds[1], "x", 1));
	n = TRY(epoll_wait(ep, got, 4, -1));
	for (int i = 0; i < n; i++)
		printf("%x %llx\n", got[i].events, (unsigned long long)got[i].data.u64);
	e.events = EPOLLIN | EPOLLET;
	e.data.fd = fds[0];
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e));
	TRY(epoll_pwait(ep, got, 4, 100, NULL));
	TRY(epoll_wait(ep, got, 4, 1));
	e.events = EPOLLOUT;
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e));
	n = TRY(epoll_wait(ep, got, 4, 1));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL));
	TRY(epoll_create(0));
	return 0;
}
