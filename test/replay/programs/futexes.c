/* SPDX-License-Identifier: MIT
 * Futexes that are waited for in vain, woken without a waiter, moved.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	unsigned a = 1, b = 2;
	struct timespec limit = {0, 1000000};

	TRY(syscall(SYS_futex, &a, FUTEX_WAIT, 0, &limit, NULL, 0));
	TRY(syscall(SYS_futex, &a, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, &limit, NULL, 0));
	TRY(syscall(SYS_futex, &a, FUTEX_WAKE, 1, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &a, FUTEX_CMP_REQUEUE, 1, 1, &b, 1));
	TRY(syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1, &b,
		    FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 2)));
	printf("b: %u\n", b);
	a = 0;
	TRY(syscall(SYS_futex, &a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	printf("owner: %d\n", a == getpid());
	TRY(syscall(SYS_futex, &a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0,
		    &(struct timespec){1, 0}, NULL, ~0u));
	return 0;
}
