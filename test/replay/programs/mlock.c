/* SPDX-License-Identifier: MIT
 * Memory that stays.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	printf("%p\n", (void *)m);
	TRY(mlock(m, 8192));
	TRY(mlock2(m + 8192, 4096, MLOCK_ONFAULT));
	TRY(munlock(m, 8192));
	TRY(mlockall(MCL_CURRENT));
	TRY(munlockall());
	TRY(madvise(m, 65536, MADV_HUGEPAGE));
	TRY(madvise(m, 65536, MADV_WILLNEED));
	m[0] = 1;
	TRY(madvise(m, 65536, MADV_FREE));
	TRY(mlock((void *)4096, 4096));
	return 0;
}
