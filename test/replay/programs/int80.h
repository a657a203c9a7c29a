/* SPDX-License-Identifier: MIT
 * A call of the i386 table; its pointers must be below 4 GiB.
 */
#ifndef INT80_H
#define INT80_H

static long int80(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

#endif
