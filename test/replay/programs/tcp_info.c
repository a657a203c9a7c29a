/* SPDX-License-Identifier: MIT
 * A connection over the loopback, with what the kernel tells of it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	struct tcp_info info;
	struct linger linger;
	char name[32];
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), fd;

	TRY(bind(server, (struct sockaddr *)&at, sizeof at));
	TRY(listen(server, 1));
	TRY(getsockname(server, (struct sockaddr *)&at, &len));
	TRY(connect(client, (struct sockaddr *)&at, sizeof at));
	fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	TRY(write(client, "0123456789", 10));
	len = sizeof info;
	TRY(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %u, rtt %u, %u bytes\n", info.tcpi_state, info.tcpi_rtt, len);
	len = 8;
	TRY(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("%u bytes\n", len);
	len = sizeof name;
	TRY(getsockopt(client, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("%s %u\n", name, len);
	len = sizeof linger;
	TRY(getsockopt(client, SOL_SOCKET, SO_LINGER, &linger, &len));
	TRY(recv(fd, name, 4, MSG_PEEK));
	TRY(recv(fd, name, sizeof name, MSG_WAITALL | MSG_DONTWAIT));
	TRY(recv(fd, NULL, 100, MSG_TRUNC | MSG_DONTWAIT));
	TRY(shutdown(client, SHUT_WR));
	TRY(recv(fd, name, sizeof name, 0));
	return 0;
}
