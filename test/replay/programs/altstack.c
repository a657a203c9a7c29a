/* SPDX-License-Identifier: MIT
 * A handler on a stack of its own that jumps out of a crash.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

static sigjmp_buf back;
static char stack[65536];

static void crashed(int sig, siginfo_t *si, void *context)
{
	char here;

	(void)context;
	printf("sig %d code %d at %p, on the other stack: %d\n", sig, si->si_code, si->si_addr,
	       &here >= stack && &here < stack + sizeof(stack));
	siglongjmp(back, 1);
}

int main(void)
{
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
	struct sigaction a = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TRY(sigaltstack(&ss, &old));
	printf("old flags %d\n", old.ss_flags);
	TRY(sigaction(SIGSEGV, &a, NULL));
	TRY(sigaction(SIGFPE, &a, NULL));
	if (!sigsetjmp(back, 1))
		*(volatile int *)8 = 1;
	if (!sigsetjmp(back, 1))
		*(volatile char *)page = 1;
	if (!sigsetjmp(back, 1)) {
		volatile int zero = 0;

		printf("%d\n", 10 / zero);
	}
	TRY(mprotect(page, 4096, PROT_READ | PROT_WRITE));
	*page = 'w';
	printf("%c\n", *page);
	return 0;
}
