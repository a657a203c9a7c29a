/* SPDX-License-Identifier: MIT
 * POSIX message queues.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32}, got;
	struct timespec past = {1, 0};
	char name[32], buf[32] = "";
	unsigned prio = 0;
	mqd_t q;

	snprintf(name, sizeof(name), "/kp-%d", (int)getpid());
	q = TRY(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	TRY(mq_send(q, "low", 4, 1));
	TRY(mq_send(q, "high", 5, 9));
	TRY(mq_getattr(q, &got));
	printf("%ld of %ld\n", got.mq_curmsgs, got.mq_maxmsg);
	TRY(mq_receive(q, buf, sizeof(buf), &prio));
	printf("%s %u\n", buf, prio);
	TRY(mq_receive(q, buf, sizeof(buf), &prio));
	printf("%s %u\n", buf, prio);
	TRY(mq_timedreceive(q, buf, sizeof(buf), &prio, &past));
	TRY(mq_unlink(name));
	return 0;
}
