/* SPDX-License-Identifier: MIT
 * Sets up an io_uring, whose results arrive in shared memory.
 */
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct io_uring_params params;

	memset(&params, 0, sizeof(params));
	TRY(syscall(SYS_io_uring_setup, 4, &params));
	printf("features %x\n", params.features);
	return 0;
}
