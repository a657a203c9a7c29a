/* SPDX-License-Identifier: MIT
 * Mappings that grow, shrink and move.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, anon, -1, 0), *n, *target;

	strcpy(m, "first");
	strcpy(m + 4096, "second");
	n = mremap(m, 8192, 1 << 20, MREMAP_MAYMOVE);
	printf("%p -> %p %s %s\n", (void *)m, (void *)n, n, n + 4096);
	m = mremap(n, 1 << 20, 4096, 0);
	printf("%p %s\n", (void *)m, m);
	target = mmap(NULL, 4096, PROT_NONE, anon, -1, 0);
	n = mremap(m, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	printf("%p = %p %s\n", (void *)n, (void *)target, n);
	TRY(mremap(m, 4096, 8192, 0));
	TRY(munmap(n, 4096));
	return 0;
}
