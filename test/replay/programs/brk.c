/* SPDX-License-Identifier: MIT
 * The heap: brk and large and small allocations, with their addresses.
 */
#include <malloc.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	void *old = sbrk(0), *grown, *shrunk, *blocks[64];
	char *big;

	/* Before anything else has a heap: malloc does not like its break to be moved. */
	grown = sbrk(65536);
	memset(old, 7, 65536);
	shrunk = sbrk(-65536);
	printf("break %p grown %p shrunk %p\n", old, grown, shrunk);
	for (int i = 0; i < 64; i++) {
		blocks[i] = malloc((size_t)(1 << (i % 18)) + 1);
		memset(blocks[i], i, (size_t)(1 << (i % 18)));
		printf("%p ", blocks[i]);
	}
	printf("\n");
	for (int i = 0; i < 64; i += 2)
		free(blocks[i]);
	big = malloc(3000000);
	memset(big, 1, 3000000);
	printf("big %p\n", (void *)big);
	big = realloc(big, 9000000);
	printf("bigger %p %d\n", (void *)big, big[2999999]);
	free(big);
	TRY(malloc_trim(0));
	printf("break %p\n", sbrk(0));
	return 0;
}
