/* SPDX-License-Identifier: MIT
 *
 * The service in the middle of the truth benchmark: one thread reads the connections, four workers
 * answer, each with a connection of its own to the next service.
 *
 *   middle PORT BACK-ADDRESS BACK-PORT SPANS-FILE
 *
 * A request's query says what is done for it (number_of); the answer's header Stamps says when, in
 * nanoseconds of CLOCK_MONOTONIC. /health is answered by a worker at once. A line on the standard
 * input is an order to disturb (orders[]): "begun NS" when it does, "ended NS CPU-NS" is answered.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

#define WORKERS 4
#define PAGE 4096ul
#define TABLE_PAGES 12288ul /* what it keeps in memory: 48 MiB */
#define HEAD_LEN 8192
#define CONVOY_MAX 16

struct job {
	struct job *next;
	int fd;
	char head[HEAD_LEN];
};

static struct sockaddr_in back_addr;
static FILE *spans;
static unsigned char *table;
static struct job *first, **last = &first;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER,
		       ledger_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_job = PTHREAD_COND_INITIALIZER;
static pthread_t threads[WORKERS + 1]; /* the last one reads */
static atomic_uint is_stopped;
static sem_t parked;

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void rest_us(long us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	if (us)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void burn_us(long us)
{
	int64_t end = now(CLOCK_THREAD_CPUTIME_ID) + us * 1000;

	while (us && now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void name_thread(const char *name)
{
	prctl(PR_SET_NAME, name);
}

/* NAME=NUMBER of the request's first line; 0: it is not there. */
static long number_of(const char *head, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "%s=", name);
	at = strstr(head, key);
	return at && at < strchr(head, '\n') ? atol(at + strlen(key)) : 0;
}

static void stamp(char *stamps, const char *name)
{
	size_t len = strlen(stamps);

	snprintf(stamps + len, HEAD_LEN - len, "%s=%lld;", name, (long long)now(CLOCK_MONOTONIC));
}

static void send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len; text += n, len -= (size_t)n)
		if ((n = send(fd, text, len, MSG_NOSIGNAL)) <= 0)
			return;
}

/* --- what is done for a request --- */

static void touch_table(long pages)
{
	for (long i = 0; i < pages; i++)
		table[(unsigned long)i % TABLE_PAGES * PAGE]++;
}

/* Memory that is used for this request only. */
static void fill_new(long pages)
{
	size_t len = (size_t)pages * PAGE;
	char *at;

	if (!pages)
		return;
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		err(1, "mmap");
	for (size_t i = 0; i < len; i += PAGE)
		at[i] = 1;
	munmap(at, len);
}

static void look_up(long us)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
	char name[64];

	if (!us)
		return;
	snprintf(name, sizeof(name), "s%ld.ledger.test", us);
	if (getaddrinfo(name, "80", &hints, &list) == 0)
		freeaddrinfo(list);
}

static void ask_back(int *fd, const char *query, const char *trace, long bulk, char *stamps)
{
	char head[HEAD_LEN];
	char *body, *end, *theirs;
	size_t len = 0;
	ssize_t n;

	snprintf(head, sizeof(head),
		 "POST /write?%s HTTP/1.1\r\nHost: back\r\ntraceparent: %s\r\nContent-Length: "
		 "%ld\r\n\r\n",
		 query, trace, bulk);
	stamp(stamps, "mid_ask");
	send_all(*fd, head, strlen(head));
	body = bulk ? calloc(1, (size_t)bulk) : NULL;
	if (body)
		send_all(*fd, body, (size_t)bulk);
	free(body);
	do {
		n = recv(*fd, head + len, sizeof(head) - 1 - len, 0);
		if (n <= 0)
			errx(1, "the next service is gone");
		len += (size_t)n;
		head[len] = 0;
	} while (!strstr(head, "\r\n\r\n"));
	stamp(stamps, "mid_told");
	theirs = strstr(head, "Stamps: ");
	end = theirs ? strstr(theirs, "\r\n") : NULL;
	if (end) {
		*end = 0;
		len = strlen(stamps);
		snprintf(stamps + len, HEAD_LEN - len, "%s", theirs + 8);
	}
}

static void work_for(const char *head, const char *query, const char *trace, int *back,
		     char *stamps)
{
	int64_t cpu = now(CLOCK_THREAD_CPUTIME_ID);
	size_t len;

	burn_us(number_of(head, "burn"));
	rest_us(number_of(head, "sleep"));
	cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	stamp(stamps, "mid_burnt");
	len = strlen(stamps);
	snprintf(stamps + len, HEAD_LEN - len, "mid_cpu=%lld;", (long long)cpu);
	pthread_mutex_lock(&ledger_lock);
	stamp(stamps, "mid_locked");
	burn_us(20);
	pthread_mutex_unlock(&ledger_lock);
	touch_table(number_of(head, "touch"));
	fill_new(number_of(head, "fill"));
	stamp(stamps, "mid_touched");
	look_up(number_of(head, "dns"));
	stamp(stamps, "mid_resolved");
	ask_back(back, query, trace, number_of(head, "bulk"), stamps);
}

/* "traceparent: 00-TRACE-SPAN-01": copies TRACE and SPAN; false: there is none. */
static int read_parent(const char *head, char *trace, char *span)
{
	const char *at = strcasestr(head, "traceparent:");

	return at && sscanf(at + 12, " 00-%32[0-9a-f]-%16[0-9a-f]", trace, span) == 2;
}

static void write_span(const char *trace, const char *parent, const char *span, int64_t begin)
{
	char host[64];

	gethostname(host, sizeof(host));
	flockfile(spans);
	fprintf(spans,
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
		"\"value\":{\"stringValue\":\"middle\"}},{\"key\":\"process.pid\",\"value\":{"
		"\"intValue\":\"%d\"}},{\"key\":\"host.name\",\"value\":{\"stringValue\":\"%s\"}}]"
		"},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%s\",\"spanId\":\"%s\","
		"\"parentSpanId\":\"%s\",\"name\":\"settle\",\"kind\":2,\"startTimeUnixNano\":"
		"\"%lld\",\"endTimeUnixNano\":\"%lld\"}]}]}]}\n",
		getpid(), host, trace, span, parent, (long long)begin,
		(long long)now(CLOCK_REALTIME));
	fflush(spans);
	funlockfile(spans);
}

static void answer(const struct job *job, int *back, char *stamps)
{
	static atomic_uint serial;
	char trace[33] = "", parent[17] = "", span[17], whole[64], query[512] = "", out[HEAD_LEN];
	int64_t begin = now(CLOCK_REALTIME);

	if (read_parent(job->head, trace, parent)) {
		sscanf(job->head, "%*s %*[^? ]?%511s", query);
		snprintf(span, sizeof(span), "aa%014x", ++serial);
		snprintf(whole, sizeof(whole), "00-%s-%s-01", trace, span);
		work_for(job->head, query, whole, back, stamps);
	} else {
		rest_us(number_of(job->head, "sleep"));
	}
	stamp(stamps, "mid_tx");
	snprintf(out, sizeof(out),
		 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStamps: %.7000s\r\n\r\nok", stamps);
	send_all(job->fd, out, strlen(out));
	if (trace[0])
		write_span(trace, parent, span, begin);
}

static void *worker(void *arg)
{
	char name[16], *stamps = malloc(HEAD_LEN);
	int back = socket(AF_INET, SOCK_STREAM, 0);
	struct job *job;

	snprintf(name, sizeof(name), "mid-work-%d", (int)(intptr_t)arg);
	name_thread(name);
	for (int i = 0; connect(back, (void *)&back_addr, sizeof(back_addr)); i++)
		if (i == 100 || usleep(50000))
			err(1, "the next service");
	for (;;) {
		pthread_mutex_lock(&queue_lock);
		while (!first)
			pthread_cond_wait(&has_job, &queue_lock);
		job = first;
		first = job->next;
		if (!first)
			last = &first;
		pthread_mutex_unlock(&queue_lock);
		stamps[0] = 0;
		stamp(stamps, "mid_rx");
		answer(job, &back, stamps);
		free(job);
	}
	return NULL;
}

/* --- the thread that reads --- */

static void take(int ep, int fd)
{
	struct job *job = calloc(1, sizeof(*job));
	ssize_t n = job ? recv(fd, job->head, HEAD_LEN - 1, MSG_DONTWAIT) : -1;

	if (n <= 0) {
		free(job);
		epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
		return;
	}
	job->fd = fd;
	pthread_mutex_lock(&queue_lock);
	*last = job;
	last = &job->next;
	pthread_cond_signal(&has_job);
	pthread_mutex_unlock(&queue_lock);
}

static void *reader(void *arg)
{
	int listener = (int)(intptr_t)arg, ep = epoll_create1(0), fd;
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener};

	name_thread("mid-loop");
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			continue;
		if (ev.data.fd != listener) {
			take(ep, ev.data.fd);
			continue;
		}
		fd = accept(listener, NULL, NULL);
		ev = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
	return NULL;
}

/* --- disturbances --- */

static int64_t begun;

static void say_begun(void)
{
	begun = now(CLOCK_MONOTONIC);
	printf("begun %lld\n", (long long)begun);
	fflush(stdout);
}

static void hold_sleeping(long us, long unused)
{
	(void)unused;
	pthread_mutex_lock(&ledger_lock);
	say_begun();
	rest_us(us);
	pthread_mutex_unlock(&ledger_lock);
}

static void hold_computing(long us, long unused)
{
	(void)unused;
	pthread_mutex_lock(&ledger_lock);
	say_begun();
	burn_us(us);
	pthread_mutex_unlock(&ledger_lock);
}

static void *in_convoy(void *arg)
{
	name_thread("mid-audit");
	pthread_mutex_lock(&ledger_lock);
	rest_us((long)(intptr_t)arg);
	pthread_mutex_unlock(&ledger_lock);
	return NULL;
}

/* One after the other takes the lock. */
static void convoy(long us, long cnt)
{
	pthread_t thread[CONVOY_MAX];

	cnt = cnt < CONVOY_MAX ? cnt : CONVOY_MAX;
	for (long i = 0; i < cnt; i++) {
		pthread_create(&thread[i], NULL, in_convoy, (void *)(intptr_t)us);
		rest_us(500); /* so that they queue in this order */
	}
	say_begun();
	for (long i = 0; i < cnt; i++)
		pthread_join(thread[i], NULL);
}

/* A thread stops here for the collector. */
static void on_stop(int sig)
{
	(void)sig;
	sem_post(&parked);
	while (atomic_load(&is_stopped))
		syscall(SYS_futex, &is_stopped, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

/* As a collector does: all threads stop, it computes and reads its table, and lets them go on. */
static void stop_world(long us, long pages)
{
	atomic_store(&is_stopped, 1);
	for (int i = 0; i <= WORKERS; i++)
		pthread_kill(threads[i], SIGUSR1);
	for (int i = 0; i <= WORKERS; i++)
		while (sem_wait(&parked))
			;
	say_begun();
	burn_us(us);
	touch_table(pages);
	atomic_store(&is_stopped, 0);
	syscall(SYS_futex, &is_stopped, FUTEX_WAKE_PRIVATE, WORKERS + 1, NULL, NULL, 0);
}

/* Its table goes to swap, and comes back. */
static void swap_out(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	if (madvise(table, TABLE_PAGES * PAGE, MADV_PAGEOUT))
		err(1, "madvise");
}

static void swap_in(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	touch_table(TABLE_PAGES);
}

static const struct {
	const char *name;
	void (*run)(long us, long cnt);
} orders[] = {
	{"hold_sleeping", hold_sleeping},
	{"hold_computing", hold_computing},
	{"convoy", convoy},
	{"stop_world", stop_world},
	{"swap_out", swap_out},
	{"swap_in", swap_in},
};

static void obey(void)
{
	char line[128], name[32];
	long us, cnt;
	int64_t cpu;

	name_thread("mid-control");
	while (fgets(line, sizeof(line), stdin)) {
		us = cnt = 0;
		if (sscanf(line, "%31s %ld %ld", name, &us, &cnt) < 1)
			continue;
		cpu = now(CLOCK_THREAD_CPUTIME_ID);
		for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
			if (strcmp(orders[i].name, name) == 0)
				orders[i].run(us, cnt);
		cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
		printf("ended %lld %lld\n", (long long)now(CLOCK_MONOTONIC), (long long)cpu);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	if (argc != 5)
		errx(2, "usage: middle PORT BACK-ADDRESS BACK-PORT SPANS-FILE");
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	back_addr.sin_family = AF_INET;
	back_addr.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &back_addr.sin_addr);
	spans = fopen(argv[4], "a");
	table = mmap(NULL, TABLE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!spans || table == MAP_FAILED || bind(listener, (void *)&addr, sizeof(addr)) ||
	    listen(listener, 64))
		err(1, "middle");
	madvise(table, TABLE_PAGES * PAGE, MADV_NOHUGEPAGE);
	touch_table(TABLE_PAGES);
	sem_init(&parked, 0, 0);
	sigaction(SIGUSR1, &stop, NULL);
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)i);
	pthread_create(&threads[WORKERS], NULL, reader, (void *)(intptr_t)listener);
	printf("ready\n");
	fflush(stdout);
	obey();
	return 0;
}
