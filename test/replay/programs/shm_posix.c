/* SPDX-License-Identifier: MIT
 * POSIX shared memory, used by this process alone.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char name[32], buf[16] = "";
	int fd;
	char *m;

	snprintf(name, sizeof(name), "/kp-%d", (int)getpid());
	fd = TRY(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	TRY(ftruncate(fd, 4096));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	printf("%p\n", (void *)m);
	strcpy(m, "posix");
	TRY(pread(fd, buf, 6, 0));
	printf("%s %s\n", m, buf);
	TRY(shm_unlink(name));
	TRY(shm_unlink(name));
	return 0;
}
