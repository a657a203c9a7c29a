/* SPDX-License-Identifier: MIT
 * Futexes that nobody else touches.
 */
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t = {0, 2000000};
	uint32_t word = 5, other = 1;

	TRY(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &t, NULL, 0));
	TRY(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 6, NULL, NULL, 1));
	TRY(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 1L, &other, 5));
	TRY(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other, FUTEX_OP(0, 9, 0, 1)));
	printf("%u %u\n", word, other);
	word = 0;
	TRY(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	TRY(word == (uint32_t)syscall(SYS_gettid));
	TRY(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	printf("%x\n", word);
	return 0;
}
