/* SPDX-License-Identifier: MIT
 * Socket options of all shapes.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct linger linger = {1, 3};
	struct timeval tv = {2, 500000};
	struct tcp_info info = {0};
	char name[16] = "";
	socklen_t len;
	int s = TRY(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), v = 0;

	for (int option = 1; option < 16; option++) {
		len = sizeof(v);
		v = -1;
		if (TRY(getsockopt(s, SOL_SOCKET, option, &v, &len)) == 0)
			printf("option %d: %d (%u)\n", option, v, len);
	}
	TRY(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	memset(&linger, 0, sizeof(linger));
	len = sizeof(linger);
	TRY(getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len));
	printf("%d %d\n", linger.l_onoff, linger.l_linger);
	TRY(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	len = sizeof(name);
	TRY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("%s %u\n", name, len);
	len = sizeof(info);
	TRY(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("length %u state %u mss %u\n", len, info.tcpi_state, info.tcpi_snd_mss);
	TRY(getsockopt(s, SOL_SOCKET, 9999, &v, &len));
	TRY(socket(AF_INET, 99, 0));
	return 0;
}
