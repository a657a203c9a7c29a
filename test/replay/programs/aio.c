/* SPDX-License-Identifier: MIT
 * Kernel AIO by its system calls.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[64] = "";
	int fd = TRY(open("input.txt", O_RDONLY));
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
			  .aio_fildes = (uint32_t)fd,
			  .aio_buf = (uintptr_t)buf,
			  .aio_nbytes = 32,
			  .aio_data = 0x99};
	struct iocb *list[1] = {&cb};
	struct io_event e = {0};
	aio_context_t ctx = 0;

	if (TRY(syscall(SYS_io_setup, 4, &ctx)) < 0)
		return 0;
	TRY(ctx != 0);
	TRY(syscall(SYS_io_submit, ctx, 1, list));
	TRY(syscall(SYS_io_getevents, ctx, 1, 1, &e, NULL));
	printf("%llx %lld [%s]\n", (unsigned long long)e.data, (long long)e.res, buf);
	TRY(syscall(SYS_io_destroy, ctx));
	return 0;
}
