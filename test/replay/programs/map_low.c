/* SPDX-License-Identifier: MIT
 * Memory at address 0, which only the privileged have.
 */
#include <sys/mman.h>

#include "show.h"

int main(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	printf("%s\n", page == MAP_FAILED ? "no" : "yes");
	return page == MAP_FAILED;
}
