/* SPDX-License-Identifier: MIT
 * Actions that are reset, nested, on another stack, left by a jump.
 */
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "show.h"

static sigjmp_buf back;
static volatile int depth;

static void on_signal(int sig)
{
	if (depth++ < 3 && sig == SIGUSR2)
		raise(sig);
}

static void jump(int sig)
{
	siglongjmp(back, 1);
}

int main(void)
{

	struct sigaction action = {.sa_handler = on_signal};
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	action.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &action);
	printf("reset: %d\n", action.sa_handler == SIG_DFL);
	TRY(sigaltstack(&stack, NULL));
	action = (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_NODEFER | SA_ONSTACK};
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	action.sa_handler = jump;
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(back, 1) == 0)
		raise(SIGUSR1);
	else
		printf("jumped\n");
	signal(SIGRTMIN + 3, on_signal);
	raise(SIGRTMIN + 3);
	printf("depth: %d\n", depth);
	return 0;
}
