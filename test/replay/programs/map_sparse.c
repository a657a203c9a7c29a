/* SPDX-License-Identifier: MIT
 * A file that is much longer than what is in it, and memory files under seals, mapped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

#define FAR (50L << 30)

static void sealed(void)
{
	int fd = TRY(memfd_create("sealed", MFD_ALLOW_SEALING));
	char *m, *r;

	TRY(ftruncate(fd, 8192));
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[0] = 'm';
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
	TRY(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	r = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	m[1] = 'n';
	printf("%s\n", r);
	TRY(ftruncate(fd, 100));
	TRY(write(fd, "x", 1));
	TRY(munmap(m, 8192));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	m[1] = 'p';
	printf("%s %s\n", m, r);
}

int main(void)
{
	int fd = TRY(open("sparse", O_RDWR | O_CREAT, 0600));
	char buf[4] = "", *m;

	TRY(ftruncate(fd, 2 * FAR));
	TRY(pwrite(fd, "far", 3, FAR));
	m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FAR);
	printf("%s %d\n", m, m[5000]);
	m[4096] = 's';
	TRY(pwrite(fd, "t", 1, FAR + 4097));
	printf("%s\n", m + 4096);
	m = mremap(m, 1 << 20, 8 << 20, MREMAP_MAYMOVE);
	m[7 << 20] = 'u';
	TRY(pread(fd, buf, 1, FAR + (7 << 20)));
	printf("%s\n", buf);
	sealed();
	return 0;
}
