/* SPDX-License-Identifier: MIT
 * Asks to be traced: refused by name.
 */
#include <sys/ptrace.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	TRY(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	return 0;
}
