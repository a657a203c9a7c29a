/* SPDX-License-Identifier: MIT
 * One program in builds that differ in one call: -DBUILD=NAME, one of those below.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	recorded,
	other_queue_message, /* a message of a POSIX queue has another text */
	short_queue_message, /* … or is shorter */
	no_message,          /* a System V message is not sent */
	short_message,       /* … or is shorter */
	other_offset,        /* a file is read at another place */
	asks_again,          /* what the recorded one asked once */
	asks_of_another,     /* the same of another process */
	sets_limit,          /* a limit that the recorded one only asked for */
	protects,            /* memory, by a key that is none */
};

static void post(const char *name)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32};
	mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);

	mq_send(queue, BUILD == other_queue_message ? "paid: 200" : "paid: 100",
		BUILD == short_queue_message ? 8 : 9, 1);
	mq_unlink(name);
	mq_close(queue);
}

static void send_message(void)
{
	struct {
		long type;
		char text[8];
	} message = {1, "sent"};
	int queue = msgget(IPC_PRIVATE, 0600);

	if (BUILD != no_message)
		msgsnd(queue, &message, BUILD == short_message ? 3 : 4, 0);
	msgctl(queue, IPC_RMID, NULL);
}

static void read_file(void)
{
	char text[8] = "";
	int fd = open("/proc/self/comm", O_RDONLY);

	pread(fd, text, sizeof text, BUILD == other_offset ? 1 : 0);
	close(fd);
}

static void ask(void)
{
	struct rlimit limit;
	cpu_set_t cpus;

	for (int i = 0; i < (BUILD == asks_again ? 2 : 1); i++) {
		getpgid(0);
		faccessat(AT_FDCWD, "/nowhere", R_OK, AT_EACCESS);
		sched_getaffinity(0, sizeof cpus, &cpus);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (BUILD == asks_of_another)
		sched_getaffinity(1, sizeof cpus, &cpus);
	if (BUILD == sets_limit)
		setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (BUILD == protects &&
	    !syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_WRITE, -1))
		strcpy(page, "not a fault");
	read_file();
	ask();
	post("/kprobe-builds");
	send_message();
	write(1, "done\n", 5);
	return 0;
}
