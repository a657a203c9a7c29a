/* SPDX-License-Identifier: MIT
 * eventfd as counter and semaphore.
 */
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	uint64_t v = 5;
	int a = TRY(eventfd(3, EFD_NONBLOCK)), b = TRY(eventfd(2, EFD_SEMAPHORE));

	TRY(write(a, &v, 8));
	TRY(read(a, &v, 8));
	printf("%lu\n", (unsigned long)v);
	TRY(read(a, &v, 8));
	TRY(read(b, &v, 8));
	printf("%lu\n", (unsigned long)v);
	TRY(eventfd_write(b, 7));
	TRY(eventfd_read(b, &v));
	printf("%lu\n", (unsigned long)v);
	return 0;
}
