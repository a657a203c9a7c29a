/* SPDX-License-Identifier: MIT
 * One request of io_uring that a worker serves a while later; run by vm_kernel.sh.
 */
#include <stddef.h>
#include <time.h>

#include "../record/uring.h"

int main(void)
{
	static char byte;
	struct ring ring;
	int fds[2];

	if (!open_ring(&ring) || pipe(fds))
		return 1;
	prepare_read(&ring, fds[0], &byte);
	if (!submit(&ring))
		return 1;
	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	return write(fds[1], "x", 1) != 1 || !await(&ring);
}
