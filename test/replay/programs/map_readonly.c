/* SPDX-License-Identifier: MIT
 * Shared mappings of a descriptor that may only read: they cannot be made writable, and what comes
 * before them in the range is made so all the same.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static void store(const char *name, volatile char *at)
{
	int sig = sigsetjmp(back, 1);

	if (!sig)
		*at = 'x';
	printf("%s: %s\n", name, sig ? "fault" : "stored");
}

int main(void)
{
	char *memory = mmap(NULL, 12288, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int writer = TRY(open("data", O_RDWR | O_CREAT, 0600)), fd;

	signal(SIGSEGV, on_fault);
	TRY(write(writer, "content", 7));
	fd = TRY(open("data", O_RDONLY));
	TRY(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	mmap(memory + 4096, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	TRY(mprotect(memory, 12288, PROT_READ | PROT_WRITE));
	store("before", memory);
	store("the file", memory + 4096);
	store("behind", memory + 8192);
	TRY(pwrite(writer, "CON", 3, 0));
	printf("%s\n", memory + 4096);
	return 0;
}
