/* SPDX-License-Identifier: MIT
 * How far the stack grows, memory that grows down, and mappings over the stack and in low memory.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "show.h"

static sigjmp_buf back;
static char *top;
static volatile long deepest;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static __attribute__((noinline)) void dig(int n)
{
	volatile char room[4096];

	room[0] = n;
	deepest = top - (char *)room;
	if (n)
		dig(n - 1);
	room[1] = n;
}

int main(void)
{
	static char alternate[65536];
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
	struct rlimit limit;
	char *m;

	top = (char *)__builtin_frame_address(0);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	TRY(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = 300000;
	TRY(setrlimit(RLIMIT_STACK, &limit));
	if (!sigsetjmp(back, 1))
		dig(1000);
	printf("a small stack ends %s\n", deepest > 200000 && deepest < 300000 ? "there" : "elsewhere");
	limit.rlim_cur = 16 << 20;
	TRY(prlimit(0, RLIMIT_STACK, &limit, NULL));
	if (!sigsetjmp(back, 1))
		dig(3000);
	printf("a larger one: %ld KiB\n", deepest >> 10);
	m = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m, 1 << 20);
	m = mmap(m + (1 << 20) - 8192, 8192, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	if (!sigsetjmp(back, 1))
		for (volatile int i = 0; i < 100; i++)
			m[-i * 4096 + 1] = 1, deepest = i;
	printf("grew down by %ld pages\n", deepest);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	printf("%s 4 GiB\n", (unsigned long)m >> 32 ? "above" : "below");
	strcpy(m, "low");
	m = (char *)((unsigned long)(top - 8000000) & ~4095UL);
	printf("%d\n", mmap(m, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m);
	if (!sigsetjmp(back, 1))
		dig(3000);
	printf("with a mapping in the way: %ld KiB\n", deepest >> 10);
	return 0;
}
