/* SPDX-License-Identifier: MIT
 *
 * The demo's customer: sends payments to the ledger one after another and says how long each took.
 *
 *   client PORT FIRST-PAYMENT COUNT
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Sends one payment, waits for its answer, returns the time it took. */
static uint64_t pay(int sock, unsigned payment)
{
	char line[64], answer[64] = "", want[64];
	uint64_t start = now_ns();
	size_t have = 0;
	ssize_t n;
	int len = snprintf(line, sizeof(line), "PAY %u %u\n", payment, 100 + payment * 7 % 900);

	if (send(sock, line, (size_t)len, MSG_NOSIGNAL) != len)
		err(1, "send");
	while (!strchr(answer, '\n')) {
		n = recv(sock, answer + have, sizeof(answer) - 1 - have, 0);
		if (n <= 0)
			errx(1, "the ledger has gone");
		have += (size_t)n;
		answer[have] = '\0';
	}
	snprintf(want, sizeof(want), "OK %u\n", payment);
	if (strcmp(answer, want) != 0)
		errx(1, "payment %u was answered with %s", payment, answer);
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timespec pause = {.tv_nsec = 5000000};
	unsigned first, count, slowest = 0;
	uint64_t ns, worst = 0, sum = 0;
	int sock, one = 1;

	if (argc != 4)
		errx(2, "usage: client PORT FIRST-PAYMENT COUNT");
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	first = (unsigned)atoi(argv[2]);
	count = (unsigned)atoi(argv[3]);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(1, "connect");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned i = 0; i < count; i++) {
		ns = pay(sock, first + i);
		sum += ns;
		if (ns > worst) {
			worst = ns;
			slowest = first + i;
		}
		nanosleep(&pause, NULL);
	}
	send(sock, "QUIT\n", 5, MSG_NOSIGNAL);
	printf("%u payments, the others %.3f ms on average, slowest: payment %u with %.3f ms\n",
	       count, (double)(sum - worst) / (count > 1 ? count - 1 : 1) / 1e6, slowest,
	       (double)worst / 1e6);
	close(sock);
	return 0;
}
