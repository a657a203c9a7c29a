/* SPDX-License-Identifier: MIT
 * TCP to itself over the loopback interface.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, b;
	socklen_t len = sizeof(a);
	char buf[64] = "";
	int s = TRY(socket(AF_INET, SOCK_STREAM, 0)), c = TRY(socket(AF_INET, SOCK_STREAM, 0)), d;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	TRY(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
	TRY(bind(s, (struct sockaddr *)&a, sizeof(a)));
	TRY(listen(s, 4));
	TRY(getsockname(s, (struct sockaddr *)&a, &len));
	printf("port %u\n", ntohs(a.sin_port));
	TRY(connect(c, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	d = TRY(accept4(s, (struct sockaddr *)&b, &len, SOCK_CLOEXEC));
	printf("from port %u\n", ntohs(b.sin_port));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
	TRY(send(c, "GET /", 5, 0));
	TRY(write(c, " now", 4));
	TRY(recv(d, buf, 9, MSG_WAITALL));
	printf("[%s]\n", buf);
	len = sizeof(b);
	TRY(getpeername(d, (struct sockaddr *)&b, &len));
	printf("peer %u\n", ntohs(b.sin_port));
	TRY(shutdown(d, SHUT_RDWR));
	TRY(read(c, buf, sizeof(buf)));
	TRY(close(d));
	a.sin_port = htons(1);
	TRY(connect(s, (struct sockaddr *)&a, sizeof(a)));
	return 0;
}
