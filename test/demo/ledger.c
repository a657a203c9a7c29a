/* SPDX-License-Identifier: MIT
 *
 * The demo's service: a ledger over TCP on the loopback interface. It knows nothing of kprobe.
 *
 *   ledger CPU LEDGER-FILE SPANS-FILE
 *
 * Protocol, one line each: "PAY <payment> <amount>" is appended to LEDGER-FILE (LINE_LEN bytes per
 * payment), brought to disk with fdatasync and answered with "OK <payment>"; "QUIT" ends the
 * service. After each answer one line of OTLP JSON, the payment's span, goes to SPANS-FILE.
 * The service binds itself to one CPU, as latency-sensitive services are, and says on stdout where
 * it listens and what it has booked.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LINE_LEN 32

struct ledger {
	int file, spans;
	char host[65];
	uint64_t total;
	unsigned booked;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void bind_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "cannot bind to CPU %d", cpu);
}

static void write_span(struct ledger *l, const char *payment, uint64_t start, uint64_t end)
{
	unsigned char id[24];
	char hex[49], line[1024];
	int len;

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		err(1, "getrandom");
	for (unsigned i = 0; i < sizeof(id); i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	len = snprintf(
		line, sizeof(line),
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":["
		"{\"key\":\"service.name\",\"value\":{\"stringValue\":\"ledger\"}},"
		"{\"key\":\"host.name\",\"value\":{\"stringValue\":\"%s\"}},"
		"{\"key\":\"process.pid\",\"value\":{\"intValue\":\"%d\"}}]},"
		"\"scopeSpans\":[{\"scope\":{\"name\":\"ledger\"},\"spans\":[{"
		"\"traceId\":\"%.32s\",\"spanId\":\"%s\",\"name\":\"ledger.write\",\"kind\":2,"
		"\"startTimeUnixNano\":\"%" PRIu64 "\",\"endTimeUnixNano\":\"%" PRIu64 "\","
		"\"attributes\":[{\"key\":\"payment.id\",\"value\":{\"stringValue\":\"%s\"}}],"
		"\"status\":{}}]}]}]}\n",
		l->host, (int)getpid(), hex, hex + 32, start, end, payment);
	if (write(l->spans, line, (size_t)len) != len)
		err(1, "cannot write a span");
}

static void pay(struct ledger *l, int client, const char *payment, const char *amount)
{
	char line[LINE_LEN + 1], answer[64];
	uint64_t start = now_ns(), end;
	int len;

	snprintf(line, sizeof(line), "%-15.15s %15.15s\n", payment, amount);
	if (write(l->file, line, LINE_LEN) != LINE_LEN || fdatasync(l->file) < 0)
		err(1, "cannot book");
	l->total += strtoull(amount, NULL, 10);
	l->booked++;
	len = snprintf(answer, sizeof(answer), "OK %s\n", payment);
	end = now_ns();
	if (send(client, answer, (size_t)len, MSG_NOSIGNAL) != len)
		warn("the client has gone");
	write_span(l, payment, start, end);
}

/* One request; false ends the service. */
static int serve_line(struct ledger *l, int client, char *line)
{
	char *save, *verb = strtok_r(line, " ", &save);
	char *payment = strtok_r(NULL, " ", &save), *amount = strtok_r(NULL, " ", &save);

	if (verb && !strcmp(verb, "QUIT"))
		return 0;
	if (verb && payment && amount && !strcmp(verb, "PAY"))
		pay(l, client, payment, amount);
	else
		send(client, "ERROR\n", 6, MSG_NOSIGNAL);
	return 1;
}

static void serve(struct ledger *l, int client)
{
	char buf[512], *end;
	size_t have = 0;
	ssize_t n;

	while ((n = recv(client, buf + have, sizeof(buf) - 1 - have, 0)) > 0) {
		have += (size_t)n;
		buf[have] = '\0';
		while ((end = strchr(buf, '\n'))) {
			*end++ = '\0';
			if (!serve_line(l, client, buf))
				return;
			have -= (size_t)(end - buf);
			memmove(buf, end, have + 1);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	struct utsname host;
	struct ledger l = {0};
	int server, client, one = 1;

	if (argc != 4)
		errx(2, "usage: ledger CPU LEDGER-FILE SPANS-FILE");
	bind_to_cpu(atoi(argv[1]));
	uname(&host);
	snprintf(l.host, sizeof(l.host), "%s", host.nodename);
	l.file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	l.spans = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l.file < 0 || l.spans < 0 || server < 0 ||
	    bind(server, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(server, 8) < 0 ||
	    getsockname(server, (struct sockaddr *)&addr, &len) < 0)
		err(1, "cannot start");
	printf("ledger: pid %d listens on 127.0.0.1:%d\n", (int)getpid(), ntohs(addr.sin_port));
	fflush(stdout);
	client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		err(1, "accept");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	serve(&l, client);
	printf("ledger: %u payments, %" PRIu64 " in all\n", l.booked, l.total);
	return 0;
}
