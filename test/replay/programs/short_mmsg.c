/* SPDX-License-Identifier: MIT
 * recvmmsg that gives one message of two: the bytes of the second are stored, but its header cannot
 * be written.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end(), text[2][16] = {"", ""};
	struct mmsghdr *headers = (struct mmsghdr *)(end - sizeof *headers);
	struct iovec iov[2] = {{text[0], 16}, {text[1], 16}};
	int fds[2];

	if (!mmap(end, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return 1;
	for (int i = 0; i < 2; i++)
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	mprotect(end, 4096, PROT_READ);
	if (write(fds[1], "first", 5) != 5 || write(fds[1], "second", 6) != 6)
		return 1;
	TRY(recvmmsg(fds[0], headers, 2, MSG_DONTWAIT, NULL));
	printf("%s %s\n", text[0], text[1]);
	return 0;
}
