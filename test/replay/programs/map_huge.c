/* SPDX-License-Identifier: MIT
 * Huge pages, where the machine has some: a length is rounded up to them, and parts cannot go.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd;

	printf("%s\n", m == MAP_FAILED ? strerror(errno) : "mapped");
	if (m != MAP_FAILED) {
		m[0] = 1;
		m[(2 << 20) - 1] = 2;
		printf("%d\n", m[0] + m[(2 << 20) - 1]);
		TRY(munmap(m, 4096));
		TRY(munmap(m, 2 << 20));
	}
	m = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY(madvise(m, 4 << 20, MADV_HUGEPAGE));
	m[3 << 20] = 3;
	TRY(madvise(m + (3 << 20), 4096, MADV_DONTNEED));
	printf("%d\n", m[3 << 20]);
	return 0;
}
