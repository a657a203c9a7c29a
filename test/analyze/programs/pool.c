/* SPDX-License-Identifier: MIT
 *
 * A server with a pool of threads, and clients whose requests overlap: half of them wait, the other
 * half compute. It writes its spans as an SDK would, one line of OTLP JSON each, with what a join
 * has to find out as attributes: tid (of the worker) and req (the request's name).
 *
 *   pool SPANS.jsonl
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 6
#define CLIENTS 6
#define ROUNDS 4

static int listener;
static struct sockaddr_in address = {.sin_family = AF_INET};
static FILE *spans;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void compute_us(long us)
{
	long long end = now(CLOCK_THREAD_CPUTIME_ID) + us * 1000LL;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void sleep_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

static void write_span(int request, long long begin, long long end)
{
	pthread_mutex_lock(&lock);
	fprintf(spans,
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
		"\"value\":"
		"{\"stringValue\":\"pool\"}},{\"key\":\"process.pid\",\"value\":{\"intValue\":\"%"
		"d\"}},"
		"{\"key\":\"process.executable.name\",\"value\":{\"stringValue\":\"pool\"}}]},"
		"\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"name\":"
		"\"%s\",\"kind\":2,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\","
		"\"attributes\":[{\"key\":\"req\",\"value\":{\"stringValue\":\"req-%d\"}},{\"key\":"
		"\"tid\",\"value\":{\"intValue\":\"%ld\"}}]}]}]}]}\n",
		getpid(), 0x1000 + request, 0x10 + request, request % 2 ? "compute" : "wait", begin,
		end, request, syscall(SYS_gettid));
	pthread_mutex_unlock(&lock);
}

static void *work(void *arg)
{
	long long begin, end;
	int request, fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || read(fd, &request, sizeof(request)) != sizeof(request))
			return arg;
		compute_us(150); /* its head is read before an SDK begins the span */
		begin = now(CLOCK_REALTIME);
		if (request % 2)
			compute_us(8000);
		else
			sleep_us(30000);
		end = now(CLOCK_REALTIME);
		compute_us(50);
		if (write(fd, &request, sizeof(request)) != sizeof(request))
			abort();
		close(fd);
		write_span(request, begin, end);
	}
}

static void *ask(void *arg)
{
	int first = (int)(long)arg, answer, fd;

	for (int request = first; request < first + ROUNDS; request++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (void *)&address, sizeof(address)) < 0 ||
		    write(fd, &request, sizeof(request)) != sizeof(request) ||
		    read(fd, &answer, sizeof(answer)) != sizeof(answer))
			abort();
		close(fd);
		sleep_us(700L * (first % 7));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t clients[CLIENTS], worker;
	socklen_t len = sizeof(address);

	if (argc != 2 || !(spans = fopen(argv[1], "w")))
		return 2;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&address, sizeof(address)) < 0 || listen(listener, 64) < 0 ||
	    getsockname(listener, (void *)&address, &len) < 0)
		return 1;
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&worker, NULL, work, NULL);
	for (long i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, ask, (void *)(i * ROUNDS));
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	sleep_us(200000); /* the last spans are written */
	return fclose(spans) ? 1 : 0;
}
