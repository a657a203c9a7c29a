/* A segment of its own where the program wants it: low, rounded down, and over other memory. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

int main(void)
{
	int id = shmget(IPC_PRIVATE, 16384, IPC_CREAT | 0600);
	char *low = shmat(id, (void *)0x30000123, SHM_RND);
	char *under = mmap((void *)0x40000000, 65536, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	char *over = shmat(id, under + 4096, SHM_REMAP);

	strcpy(low, "written low");
	printf("%p %p %s\n", (void *)low, (void *)over, over);
	shmctl(id, IPC_RMID, NULL);
	return low != (char *)0x30000000 || over != under + 4096;
}
