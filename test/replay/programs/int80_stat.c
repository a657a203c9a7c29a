/* SPDX-License-Identifier: MIT
 * A call of the i386 table whose bytes have another layout there: refused by name.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "int80.h"
#include "show.h"

int main(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	strcpy(low, "/");
	int80(195, (long)low, (long)low + 64, 0); /* stat64 */
	return 0;
}
