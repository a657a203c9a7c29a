/* SPDX-License-Identifier: MIT
 * Page faults served by the process itself.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	TRY(syscall(SYS_userfaultfd, O_CLOEXEC));
	return 0;
}
