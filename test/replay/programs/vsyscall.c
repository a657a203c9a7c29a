/* SPDX-License-Identifier: MIT
 * The time from the vsyscall page: no system call, so that the log cannot have it.
 */
#include <time.h>

#include "show.h"

int main(void)
{
	time_t (*page_time)(time_t *) = (void *)0xffffffffff600400;

	printf("time: %ld\n", (long)page_time(NULL));
	return 0;
}
