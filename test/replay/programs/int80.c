/* SPDX-License-Identifier: MIT
 * Calls of the i386 table in a 64-bit process that are the same in both.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "int80.h"
#include "show.h"

int main(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	strcpy(low, "by int 0x80\n");
	int80(4, 1, (long)low, 12);
	return int80(20, 0, 0, 0) != getpid();
}
