/* SPDX-License-Identifier: MIT
 * A connection that is taken only with its first bytes, of which there are none: after a second the
 * kernel sends the answer to its begin again. Run by e2e/vm_delays.sh.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(8),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0),
	    one = 1;

	if (setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)) ||
	    bind(listener, (void *)&at, sizeof(at)) || listen(listener, 5) ||
	    connect(client, (void *)&at, sizeof(at))) {
		perror("deferred");
		return 1;
	}
	sleep(3);
	return 0;
}
