/* SPDX-License-Identifier: MIT
 * System V semaphores and messages.
 */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct {
		long type;
		char text[16];
	} m = {3, "message"};
	struct sembuf op = {0, 2, 0};
	unsigned short all[2] = {1, 2};
	struct msqid_ds ds;
	int s = TRY(semget(IPC_PRIVATE, 2, 0600)), q = TRY(msgget(IPC_PRIVATE, 0600));

	TRY(semctl(s, 0, SETALL, all));
	TRY(semop(s, &op, 1));
	TRY(semctl(s, 0, GETVAL));
	TRY(semctl(s, 0, GETALL, all));
	printf("%u %u\n", all[0], all[1]);
	op.sem_op = -9;
	op.sem_flg = IPC_NOWAIT;
	TRY(semop(s, &op, 1));
	op.sem_flg = 0;
	TRY(semtimedop(s, &op, 1, &(struct timespec){0, 1000000}));
	TRY(msgsnd(q, &m, 8, 0));
	memset(&m, 0, sizeof(m));
	TRY(msgrcv(q, &m, sizeof(m.text), 0, 0));
	printf("%ld %s\n", m.type, m.text);
	TRY(msgrcv(q, &m, sizeof(m.text), 0, IPC_NOWAIT));
	TRY(msgctl(q, IPC_STAT, &ds));
	printf("%d\n", (int)ds.msg_lspid);
	TRY(semctl(s, 0, IPC_RMID));
	TRY(msgctl(q, IPC_RMID, NULL));
	return 0;
}
