/* SPDX-License-Identifier: MIT
 * Memory from /dev/zero, and shared memory without a file.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	int fd = TRY(open("/dev/zero", O_RDWR));
	char *private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *anon = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *again;

	printf("%d %d %d\n", private[5000], shared[5000], anon[5000]);
	strcpy(private, "private");
	strcpy(shared, "shared");
	strcpy(anon, "anonymous");
	/* An old length of 0 maps the same memory once more. */
	again = mremap(anon, 0, 8192, MREMAP_MAYMOVE);
	strcpy(again + 9, " memory");
	printf("%s %s %s %s\n", private, shared, anon, again);
	TRY(madvise(private, 4096, MADV_DONTNEED));
	TRY(madvise(shared, 4096, MADV_DONTNEED));
	TRY(madvise(anon, 4096, MADV_REMOVE));
	printf("[%s] [%s] [%s] [%s]\n", private, shared, anon, again);
	TRY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, TRY(open("/dev/null", O_RDONLY)), 0) ==
	    MAP_FAILED);
	return 0;
}
