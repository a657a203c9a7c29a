/* SPDX-License-Identifier: MIT
 * Calls on memory that fail, and have an effect all the same.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

#define PAGE 4096
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static sigjmp_buf back;
static char *m;

static volatile int looking;

static void on_fault(int sig)
{
	if (!looking)
		_exit(99);
	siglongjmp(back, sig);
}

/* Pages 0 to 7: their first byte, '-' for a fault; stored: whether they can be written. */
static void look(const char *what)
{
	printf("%s:", what);
	looking = 1;
	for (volatile int i = 0; i < 8; i++) {
		volatile char *at = m + i * PAGE;
		int sig = sigsetjmp(back, 1);

		if (sig) {
			printf(" -");
			continue;
		}
		printf(" %d", *at);
		at[1] = 1;
		printf("w");
	}
	looking = 0;
	printf("\n");
}

/* Eight pages with a hole at the fifth. */
static void fresh(void)
{
	mmap(m, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (int i = 0; i < 8; i++)
		m[i * PAGE] = 'a' + i;
	munmap(m + 5 * PAGE, PAGE);
}

int main(void)
{
	char *target, *moved;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	m = (char *)mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
	    16 * PAGE;
	fresh();
	look("begin");
	TRY(madvise(m, 8 * PAGE, MADV_DONTNEED));
	look("MADV_DONTNEED over a hole");
	fresh();
	TRY(mprotect(m + PAGE, 6 * PAGE, PROT_READ));
	look("mprotect over a hole");
	fresh();
	TRY(syscall(SYS_pkey_mprotect, m + 2 * PAGE, 6 * PAGE, PROT_NONE, -1));
	look("pkey_mprotect over a hole");
	fresh();
	TRY(syscall(SYS_pkey_mprotect, m, 2 * PAGE, PROT_READ, -1));
	look("pkey_mprotect");
	fresh();
	TRY(mlock(m + 3 * PAGE, 4 * PAGE));
	TRY(madvise(m, 8 * PAGE, MADV_DONTNEED));
	look("MADV_DONTNEED of locked memory");
	TRY(madvise(m, 8 * PAGE, MADV_DONTNEED_LOCKED));
	look("MADV_DONTNEED_LOCKED");
	fresh();
	TRY(madvise(m + PAGE, 6 * PAGE, MADV_GUARD_INSTALL));
	look("MADV_GUARD_INSTALL");
	TRY(madvise(m + PAGE, 2 * PAGE, MADV_GUARD_REMOVE));
	look("MADV_GUARD_REMOVE");
	fresh();
	TRY(madvise(m, 8 * PAGE, MADV_FREE));
	TRY(madvise(m, 8 * PAGE, MADV_WIPEONFORK));
	TRY(madvise(m, 8 * PAGE, MADV_POPULATE_WRITE));
	TRY(madvise(m, 8 * PAGE, MADV_COLLAPSE));
	TRY(madvise(m, 8 * PAGE, 12345));
	TRY(madvise(m + 1, PAGE, MADV_DONTNEED));
	look("advice without effect");
	fresh();
	target = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY(mremap(m + 3 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) ==
	    MAP_FAILED);
	TRY(mincore(target, PAGE, (unsigned char[1]){0}));
	look("mremap over a hole");
	fresh();
	moved = mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	printf("%c%c\n", moved[0], moved[PAGE]);
	look("MREMAP_DONTUNMAP");
	TRY(munmap(m - PAGE, 20 * PAGE));
	TRY(munmap(m + 1, PAGE));
	look("munmap of more than there is");
	fresh();
	TRY(syscall(462, m, 2 * PAGE, 0)); /* mseal */
	TRY(mprotect(m, 4 * PAGE, PROT_NONE));
	TRY(munmap(m, 4 * PAGE));
	TRY(madvise(m, 4 * PAGE, MADV_DONTNEED));
	look("mseal");
	TRY(brk((void *)0x7fffffffffff));
	TRY(sbrk(1L << 46) == (void *)-1);
	*(char *)sbrk(PAGE) = 1;
	return 0;
}
