/* SPDX-License-Identifier: MIT
 * System V shared memory, used by this process alone.
 */
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct shmid_ds ds;
	int id = TRY(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600));
	char *m = shmat(id, NULL, 0);

	printf("at %p\n", (void *)m);
	strcpy(m, "shared with nobody");
	TRY(shmctl(id, IPC_STAT, &ds));
	printf("size %lu attached %lu creator %d\n", (unsigned long)ds.shm_segsz,
	       (unsigned long)ds.shm_nattch, ds.shm_cpid);
	printf("%s\n", m);
	TRY(shmctl(id, IPC_RMID, NULL));
	TRY(shmdt(m));
	TRY(shmget(0x12345678, 4096, 0));
	return 0;
}
