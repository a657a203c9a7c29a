/* SPDX-License-Identifier: MIT
 * One System V segment at several addresses, detached and attached again.
 */
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int key = (int)getpid() + 0x5000000, id = TRY(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);

	printf("%d\n", a[9999]);
	strcpy(a + 5000, "in both");
	printf("%s\n", b + 5000);
	TRY(shmdt(a));
	TRY(shmdt(b));
	TRY(shmdt(b));
	a = shmat(TRY(shmget(key, 0, 0)), NULL, 0);
	printf("%s\n", a + 5000);
	TRY(shmctl(id, IPC_RMID, NULL));
	b = shmat(id, NULL, 0);
	printf("%s\n", b == (void *)-1 ? "gone" : b + 5000);
	TRY(shmdt(a));
	id = TRY(shmget(IPC_PRIVATE, 4096, 0600));
	a = shmat(id, NULL, SHM_EXEC);
	printf("[%s]\n", a);
	TRY(shmctl(id, IPC_RMID, NULL));
	return 0;
}
