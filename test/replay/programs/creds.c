/* SPDX-License-Identifier: MIT
 * Credentials with messages, of peers, and a name in the abstract space.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char room[CMSG_SPACE(sizeof(struct ucred))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = room,
			     .msg_controllen = sizeof room};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;
	int pair[2], on = 1, fd = socket(AF_UNIX, SOCK_STREAM, 0);

	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	TRY(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	TRY(write(pair[0], "c", 1));
	TRY(recvmsg(pair[1], &msg, 0));
	memcpy(&peer, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof peer);
	printf("from %d %u %u: %d\n", peer.pid, peer.uid, peer.gid, peer.pid == getpid());
	TRY(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &len));
	printf("peer %d\n", peer.pid);
	TRY(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)));
	len = sizeof name;
	TRY(getsockname(fd, (struct sockaddr *)&name, &len));
	hex("name", &name, len);
	return 0;
}
