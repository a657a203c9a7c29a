/* SPDX-License-Identifier: MIT
 * Asks to be traced, which a traced process cannot.
 */
#include <sys/ptrace.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	TRY(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	return 0;
}
