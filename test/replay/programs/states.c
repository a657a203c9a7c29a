/* SPDX-License-Identifier: MIT
 * States of the process that change what its memory calls do: readable memory that runs, a limit of
 * memory, and memory that may not become executable.
 */
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "show.h"

#define PAGE 4096L

static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */

static int run(void *at)
{
	memcpy(at, code, sizeof code);
	return ((int (*)(void))at)();
}

static void *map(long pages, int prot)
{
	return mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void reads_run(void)
{
	char *hidden = map(1, PROT_NONE);

	TRY(personality(READ_IMPLIES_EXEC) >= 0);
	printf("mapped: %d\n", run(map(1, PROT_READ | PROT_WRITE)));
	printf("heap: %d\n", run(sbrk(64 * PAGE) + 32 * PAGE));
	TRY(mprotect(hidden, PAGE, PROT_READ | PROT_WRITE));
	printf("protected: %d\n", run(hidden));
	TRY(personality(0) >= 0);
}

/* The first mapping can be written already, the last two are too much. */
static void limited(void)
{
	struct rlimit limit = {1 << 20, RLIM_INFINITY};
	char *all = map(1024, PROT_NONE);

	TRY(mprotect(all, PAGE, PROT_READ | PROT_WRITE));
	TRY(mprotect(all + 2 * PAGE, PAGE, PROT_READ));
	TRY(setrlimit(RLIMIT_DATA, &limit));
	TRY(mprotect(all, 1024 * PAGE, PROT_READ | PROT_WRITE));
	all[0] = 1;
	limit.rlim_cur = RLIM_INFINITY;
	TRY(setrlimit(RLIMIT_DATA, &limit));
	TRY(mprotect(all, 1024 * PAGE, PROT_READ | PROT_WRITE));
	all[1023 * PAGE] = 1;
	munmap(all + 512 * PAGE, PAGE);
	TRY(mprotect(all, 512 * PAGE, PROT_READ));
	TRY(mprotect(all, 1024 * PAGE, PROT_READ | PROT_WRITE));
	all[1] = 2;
}

static void no_new_code(void)
{
	char *data = map(1, PROT_READ | PROT_WRITE), *text = map(1, PROT_READ | PROT_EXEC);

	TRY(prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0));
	TRY(mprotect(data, PAGE, PROT_READ | PROT_EXEC));
	TRY(mprotect(data, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	data[0] = 1;
	TRY(mprotect(text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	TRY(mprotect(text, PAGE, PROT_EXEC | PROT_READ));
	TRY(map(1, PROT_WRITE | PROT_EXEC) == MAP_FAILED);
}

int main(void)
{
	reads_run();
	limited();
	no_new_code();
	return 0;
}
