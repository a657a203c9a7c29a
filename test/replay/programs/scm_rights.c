/* SPDX-License-Identifier: MIT
 * A descriptor sent through a socket pair.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char data[8] = "", text[16] = "";
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {"fd", 2};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	int pair[2], fd = TRY(open("input.txt", O_RDONLY)), got = -1;

	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	printf("%d %d\n", pair[0], pair[1]);
	control.h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
				     .cmsg_level = SOL_SOCKET,
				     .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	TRY(sendmsg(pair[0], &m, 0));
	memset(&control, 0, sizeof(control));
	iov = (struct iovec){data, sizeof(data)};
	m.msg_controllen = sizeof(control);
	TRY(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC));
	memcpy(&got, CMSG_DATA(&control.h), sizeof(got));
	printf("[%s] flags %x control %lu fd %d\n", data, m.msg_flags,
	       (unsigned long)m.msg_controllen, got);
	TRY(read(got, text, 10));
	printf("[%s]\n", text);
	return 0;
}
