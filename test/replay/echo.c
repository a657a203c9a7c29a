/* SPDX-License-Identifier: MIT
 * A TCP echo server around epoll; ends when the client has gone. Prints its port.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int echo(int client)
{
	char buf[1024];
	ssize_t n = read(client, buf, sizeof(buf));

	if (n <= 0)
		return 0;
	printf("echo %zd bytes\n", n);
	return write(client, buf, (size_t)n) == n;
}

int main(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	struct epoll_event e = {.events = EPOLLIN}, got;
	int server = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0), client;

	if (bind(server, (struct sockaddr *)&addr, sizeof(addr)) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&addr, &len))
		return 1;
	printf("port %u\n", ntohs(addr.sin_port));
	fflush(stdout);
	e.data.fd = server;
	epoll_ctl(ep, EPOLL_CTL_ADD, server, &e);
	for (;;) {
		if (epoll_wait(ep, &got, 1, -1) < 0)
			return 1;
		if (got.data.fd == server) {
			len = sizeof(addr);
			client = accept(server, (struct sockaddr *)&addr, &len);
			printf("client from port %u\n", ntohs(addr.sin_port));
			e.data.fd = client;
			epoll_ctl(ep, EPOLL_CTL_ADD, client, &e);
		} else if (!echo(got.data.fd)) {
			printf("client gone\n");
			return 0;
		}
	}
}
