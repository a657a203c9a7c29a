/* SPDX-License-Identifier: MIT
 * Faults that a handler mends: a protected page, a division, an illegal instruction, a trap.
 */
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "show.h"

static char *page;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	printf("signal %d code %d, at the page: %d\n", sig, info->si_code,
	       (char *)info->si_addr == page + 5);
	if (sig == SIGSEGV)
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
	if (sig == SIGILL)
		regs[REG_RIP] += 2;
	if (sig == SIGFPE)
		regs[REG_RIP] += *(unsigned char *)(regs[REG_RIP] + 1) == 0x7c ? 4 : 3;
}

int main(void)
{

	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	volatile int zero = 0;

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		sigaction((int[]){SIGSEGV, SIGFPE, SIGILL, SIGTRAP}[i], &action, NULL);
	page[5] = 'x';
	printf("page: %c\n", page[5]);
	__asm__ volatile("ud2");
	__asm__ volatile("int3");
	__asm__ volatile("xorl %%edx, %%edx; movl $1, %%eax; idivl %0"
			 :
			 : "m"(zero)
			 : "eax", "edx");
	printf("done\n");
	return 0;
}
