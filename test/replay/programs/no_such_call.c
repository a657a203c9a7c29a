/* SPDX-License-Identifier: MIT
 * Calls whose numbers no table has: -1, one behind the table, x32's bit, and a number in whose
 * register the upper half is not zero (the kernel looks at the lower one only).
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	long result;

	TRY(syscall(-1));
	TRY(syscall(511));
	TRY(syscall(70000));
	TRY(syscall(0x40000000 | 511));
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(0x100000000 | SYS_getpid)
			 : "rcx", "r11", "memory");
	printf("getpid: %d\n", result == getpid());
	return 0;
}
