/* SPDX-License-Identifier: MIT
 * recvmsg that succeeds without the control message for which there is no place, whose begin it has
 * stored.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end(), text[16] = "";
	struct iovec iov = {text, sizeof text};
	struct msghdr header = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = end - 24, .msg_controllen = 64};
	int fds[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0 ||
	    setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
	    write(fds[1], "text", 4) != 4)
		return 1;
	memset(end - 24, 'a', 24);
	TRY(recvmsg(fds[0], &header, 0));
	printf("%s, %zu of control\n", text, (size_t)header.msg_controllen);
	hex("control", end - 24, 24);
	return 0;
}
