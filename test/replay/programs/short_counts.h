/* SPDX-License-Identifier: MIT
 * For programs whose calls succeed with fewer items than there are, for a later one has no place.
 */
#ifndef SHORT_COUNTS_H
#define SHORT_COUNTS_H

#include <sys/mman.h>

/* The end of a page behind which nothing is mapped. */
static inline char *page_end(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(pages + 4096, 4096);
	return pages + 4096;
}

#endif
