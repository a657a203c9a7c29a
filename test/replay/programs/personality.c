/* SPDX-License-Identifier: MIT
 * Personality and the thread's base registers.
 */
#include <asm/prctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	unsigned long fs = 0, gs = 1;

	TRY(personality(0xffffffff));
	TRY(personality(ADDR_NO_RANDOMIZE));
	TRY(personality(0xffffffff));
	TRY(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	TRY(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	printf("%lx %lx\n", fs, gs);
	TRY(syscall(SYS_arch_prctl, ARCH_SET_GS, &fs));
	TRY(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	printf("%lx\n", gs);
	TRY(syscall(SYS_arch_prctl, 0x9999, 0));
	return 0;
}
