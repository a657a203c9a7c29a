/* SPDX-License-Identifier: MIT
 * Anonymous memory: protection, discarding, residency.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	unsigned char vec[4];
	char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *fixed, *shared;

	printf("m %p\n", (void *)m);
	strcpy(m, "text");
	strcpy(m + 4096, "more");
	TRY(mincore(m, 16384, vec));
	hex("resident", vec, 4);
	TRY(mprotect(m, 4096, PROT_READ));
	printf("%s %s\n", m, m + 4096);
	TRY(madvise(m + 4096, 4096, MADV_DONTNEED));
	printf("[%s]\n", m + 4096);
	fixed = mmap(m + 8192, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("fixed %p\n", (void *)fixed);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("shared %p\n", (void *)shared);
	strcpy(shared, "alone");
	printf("%s\n", shared);
	TRY(munmap(m, 16384));
	TRY(mprotect((void *)4096, 4096, PROT_READ));
	TRY(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	return 0;
}
