/* SPDX-License-Identifier: MIT
 * Messages that are longer than what they were received into.
 */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "show.h"

static void headers_only(int fd)
{
	struct iovec none = {0}, few[2];
	struct msghdr msg = {.msg_iov = &none, .msg_iovlen = 1};
	char a[3], b[4];

	TRY(recvmsg(fd, &msg, MSG_PEEK | MSG_TRUNC));
	printf("flags: %x\n", msg.msg_flags);
	few[0] = (struct iovec){a, sizeof a};
	few[1] = (struct iovec){b, sizeof b};
	msg = (struct msghdr){.msg_iov = few, .msg_iovlen = 2};
	TRY(recvmsg(fd, &msg, MSG_TRUNC));
	printf("%.3s%.4s %x\n", a, b, msg.msg_flags);
}

static void many(int fd)
{
	struct mmsghdr all[4] = {0};
	struct iovec iov[4];
	char data[4][5];

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){data[i], sizeof data[i]};
		all[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	int n = TRY(recvmmsg(fd, all, 4, MSG_TRUNC | MSG_DONTWAIT, NULL));

	for (int i = 0; i < n; i++)
		printf("%u %.5s %x\n", all[i].msg_len, data[i], all[i].msg_hdr.msg_flags);
}

/* A control message that does not fit, and one of the queue of errors. */
static void control(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(1),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char name[64], text[8], room[256], small[4];
	struct iovec iov = {text, sizeof text};
	struct msghdr msg = {.msg_name = name,
			     .msg_namelen = sizeof name,
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = room,
			     .msg_controllen = sizeof room};
	int pair[2];

	TRY(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
	TRY(sendto(fd, "nobody is there", 15, 0, (void *)&to, sizeof to));
	if (TRY(recvmsg(fd, &msg, MSG_ERRQUEUE)) > 0)
		hex("control", room, msg.msg_controllen);
	TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	TRY(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	TRY(send(pair[0], "credentials", 11, 0));
	msg.msg_control = small;
	msg.msg_controllen = sizeof small;
	msg.msg_namelen = 0;
	TRY(recvmsg(pair[1], &msg, 0));
	printf("flags: %x, control %zu\n", msg.msg_flags, msg.msg_controllen);
}

int main(void)
{
	char text[100], few[4];
	int pair[2];

	memset(text, 'q', sizeof text);
	TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	for (int i = 0; i < 6; i++)
		TRY(send(pair[0], text, sizeof text - i, 0));
	headers_only(pair[1]);
	TRY(recv(pair[1], few, sizeof few, MSG_TRUNC));
	TRY(recvfrom(pair[1], NULL, 0, MSG_PEEK | MSG_TRUNC, NULL, NULL));
	many(pair[1]);
	control();
	return 0;
}
