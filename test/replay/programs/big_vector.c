/* SPDX-License-Identifier: MIT
 * Vectors of 1,024 parts, written and read, and messages of 500.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

#define PARTS 1024

static char data[PARTS][7], back[PARTS][7];

int main(void)
{
	struct iovec out[PARTS], in[PARTS];
	struct msghdr msg = {0};
	int fd = open("vectors.bin", O_RDWR | O_CREAT | O_TRUNC, 0600), pair[2];

	for (int i = 0; i < PARTS; i++) {
		memset(data[i], 'a' + i % 26, sizeof data[i]);
		out[i] = (struct iovec){data[i], sizeof data[i]};
		in[i] = (struct iovec){back[i], sizeof back[i]};
	}
	TRY(writev(fd, out, PARTS));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(readv(fd, in, PARTS));
	printf("same: %d\n", !memcmp(data, back, sizeof data));
	TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	msg.msg_iov = out;
	msg.msg_iovlen = 500;
	TRY(sendmsg(pair[0], &msg, 0));
	memset(back, 0, sizeof back);
	msg.msg_iov = in;
	TRY(recvmsg(pair[1], &msg, 0));
	printf("part 499: %.7s\n", back[499]);
	return 0;
}
