/* SPDX-License-Identifier: MIT
 * Lengths that are told without a buffer, and by calls that failed.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	socklen_t len = 0;
	unsigned size = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2];
	gid_t groups[1];

	TRY(getsockopt(fd, IPPROTO_TCP, TCP_INFO, NULL, &len));
	printf("length: %u\n", len);
	len = 77;
	TRY(getsockname(fd, NULL, &len));
	printf("length: %u\n", len);
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	len = 1;
	TRY(getsockopt(pair[0], SOL_SOCKET, 59 /* SO_PEERGROUPS */, groups, &len));
	printf("length: %u\n", len);
	len = 50;
	TRY(accept(pair[0], NULL, &len));
	printf("length: %u\n", len);
	TRY(syscall(459 /* lsm_get_self_attr */, 100, NULL, &size, 0));
	printf("size: %u\n", size);
	TRY(syscall(461 /* lsm_list_modules */, NULL, &size, 0));
	printf("size: %u\n", size);
	TRY(getgroups(0, NULL));
	TRY(listxattr("/", NULL, 0));
	TRY(getxattr("/", "user.none", NULL, 0));
	return 0;
}
