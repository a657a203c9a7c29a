/* SPDX-License-Identifier: MIT
 * A UNIX socket with a name: connect, credentials, transfer.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer;
	struct ucred cred = {0};
	socklen_t len = sizeof(cred), plen = sizeof(peer);
	char buf[32] = "";
	int s = TRY(socket(AF_UNIX, SOCK_STREAM, 0)), c = TRY(socket(AF_UNIX, SOCK_STREAM, 0)), d;

	TRY(bind(s, (struct sockaddr *)&a, sizeof(a)));
	TRY(bind(c, (struct sockaddr *)&a, sizeof(a)));
	TRY(listen(s, 4));
	TRY(connect(c, (struct sockaddr *)&a, sizeof(a)));
	d = TRY(accept(s, (struct sockaddr *)&peer, &plen));
	printf("peer length %u family %u\n", plen, peer.sun_family);
	TRY(getsockopt(d, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	printf("pid %d uid %u gid %u\n", cred.pid, cred.uid, cred.gid);
	TRY(send(c, "to the server", 13, 0));
	TRY(recv(d, buf, 2, MSG_PEEK));
	TRY(recv(d, buf, sizeof(buf), 0));
	printf("[%s]\n", buf);
	plen = sizeof(peer);
	TRY(getpeername(c, (struct sockaddr *)&peer, &plen));
	printf("[%s] %u\n", peer.sun_path, plen);
	TRY(shutdown(c, SHUT_WR));
	TRY(recv(d, buf, sizeof(buf), 0));
	TRY(unlink("sock"));
	return 0;
}
