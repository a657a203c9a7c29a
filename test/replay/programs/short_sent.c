/* SPDX-License-Identifier: MIT
 * sendmmsg that says one of two: the second is sent, but its header cannot be written.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "short_counts.h"
#include "show.h"

int main(void)
{
	char *end = page_end();
	struct mmsghdr *headers = (struct mmsghdr *)(end - sizeof *headers);
	struct iovec iov[2] = {{"first", 5}, {"second", 6}};
	int fds[2];

	if (!mmap(end, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return 1;
	for (int i = 0; i < 2; i++)
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	mprotect(end, 4096, PROT_READ);
	TRY(sendmmsg(fds[0], headers, 2, 0));
	printf("%u %u\n", headers[0].msg_len, headers[1].msg_len);
	return 0;
}
