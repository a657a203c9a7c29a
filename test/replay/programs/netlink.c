/* SPDX-License-Identifier: MIT
 * Routes and interfaces by netlink, in messages whose length is asked for first.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct {
		struct nlmsghdr head;
		struct rtgenmsg body;
	} ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
	struct sockaddr_nl own = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), messages = 0, done = 0;
	static char buffer[65536];
	socklen_t len = sizeof own;

	TRY(bind(fd, (struct sockaddr *)&own, sizeof own));
	TRY(getsockname(fd, (struct sockaddr *)&own, &len));
	TRY(send(fd, &ask, sizeof ask, 0));
	while (!done) {
		struct iovec iov = {NULL, 0};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = recvmsg(fd, &msg, MSG_PEEK | MSG_TRUNC);
		unsigned left = n;

		iov = (struct iovec){buffer, sizeof buffer};
		if (recvmsg(fd, &msg, 0) != n)
			return 1;
		for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, left);
		     m = NLMSG_NEXT(m, left)) {
			done |= m->nlmsg_type == NLMSG_DONE;
			messages++;
			printf("type %u, %u bytes\n", m->nlmsg_type, m->nlmsg_len);
		}
	}
	printf("messages: %d\n", messages > 1);
	return 0;
}
