/* SPDX-License-Identifier: MIT
 * Dies of a wild pointer.
 */
#include <unistd.h>

#include "show.h"

int main(void)
{
	printf("about to crash, pid %d\n", (int)getpid());
	fflush(stdout);
	*(volatile int *)16 = 1;
	return 0;
}
