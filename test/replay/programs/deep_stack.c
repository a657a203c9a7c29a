/* SPDX-License-Identifier: MIT
 * A stack that grows by megabytes, and ends at its limit.
 */
#include <signal.h>
#include <unistd.h>

#include "show.h"

static unsigned sum(unsigned depth)
{
	volatile unsigned char room[1000];

	room[depth % 1000] = depth;
	return depth ? room[depth % 1000] + sum(depth - 1) : 0;
}

static void on_overflow(int sig)
{
	static const char text[] = "the end of the stack\n";

	_exit(write(1, text, sizeof text - 1) != sizeof text - 1);
}

int main(void)
{

	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	struct sigaction action = {.sa_handler = on_overflow, .sa_flags = SA_ONSTACK};

	printf("sum: %u\n", sum(3000));
	fflush(stdout);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	printf("sum: %u\n", sum(100000000));
	return 0;
}
