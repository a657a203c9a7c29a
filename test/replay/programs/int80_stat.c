/* SPDX-License-Identifier: MIT
 * A call of the i386 table whose bytes have another layout there: refused by name.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

static long int80(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int main(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	strcpy(low, "/");
	int80(195, (long)low, (long)low + 64, 0); /* stat64 */
	return 0;
}
