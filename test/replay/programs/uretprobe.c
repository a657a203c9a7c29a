/* SPDX-License-Identifier: MIT
 * A call that the kernel ends with SIGILL, where it has the call.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	write(1, "now\n", 4);
	syscall(335);
	return 0;
}
