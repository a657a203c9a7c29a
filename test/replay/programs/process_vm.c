/* SPDX-License-Identifier: MIT
 * The process's own memory through the kernel.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char from[16] = "copied", to[16] = "", mem[8] = "";
	struct iovec l = {to, 6}, r = {from, 6};
	int fd = TRY(open("/proc/self/mem", O_RDONLY));

	TRY(process_vm_readv(getpid(), &l, 1, &r, 1, 0));
	printf("[%s]\n", to);
	r.iov_base = (void *)16;
	TRY(process_vm_readv(getpid(), &l, 1, &r, 1, 0));
	TRY(pread(fd, mem, 6, (off_t)(unsigned long)from));
	printf("[%s]\n", mem);
	return 0;
}
