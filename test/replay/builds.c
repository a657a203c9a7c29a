/* SPDX-License-Identifier: MIT
 * One program in builds that differ in one call: -DBUILD=NAME, one of those below.
 */
#include <fcntl.h>
#include <mqueue.h>
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

int main(void)
{
	post("/kprobe-builds");
	send_message();
	write(1, "done\n", 5);
	return 0;
}
