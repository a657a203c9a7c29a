/* SPDX-License-Identifier: MIT
 * UDP: sendto, recvfrom, sendmmsg, recvmmsg.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, from[3];
	socklen_t len = sizeof(a);
	char buf[3][16] = {"", "", ""};
	struct iovec out[2] = {{"alpha", 5}, {"beta!", 5}}, in[3];
	struct mmsghdr m[3];
	struct timespec t = {0, 50000000};
	int s = TRY(socket(AF_INET, SOCK_DGRAM, 0)), c = TRY(socket(AF_INET, SOCK_DGRAM, 0)), n;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	TRY(bind(s, (struct sockaddr *)&a, sizeof(a)));
	TRY(getsockname(s, (struct sockaddr *)&a, &len));
	TRY(sendto(c, "datagram", 8, 0, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(from[0]);
	TRY(recvfrom(s, buf[0], 16, 0, (struct sockaddr *)&from[0], &len));
	printf("[%s] from port %u\n", buf[0], ntohs(from[0].sin_port));
	TRY(connect(c, (struct sockaddr *)&a, sizeof(a)));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 2; i++)
		m[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
	TRY(sendmmsg(c, m, 2, 0));
	printf("sent %u %u\n", m[0].msg_len, m[1].msg_len);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 3; i++) {
		in[i] = (struct iovec){buf[i], 16};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &in[i],
					       .msg_iovlen = 1,
					       .msg_name = &from[i],
					       .msg_namelen = sizeof(from[i])};
	}
	n = TRY(recvmmsg(s, m, 3, MSG_WAITFORONE, &t));
	for (int i = 0; i < n; i++)
		printf("%u [%.*s] from %u\n", m[i].msg_len, (int)m[i].msg_len, buf[i],
		       ntohs(from[i].sin_port));
	TRY(recv(s, buf[0], 16, MSG_DONTWAIT));
	return 0;
}
