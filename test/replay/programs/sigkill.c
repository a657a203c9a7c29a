/* SPDX-License-Identifier: MIT
 * Ends by SIGKILL, which it sends itself.
 */
#include <signal.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	printf("about to be killed\n");
	fflush(stdout);
	kill(getpid(), SIGKILL);
	return 1;
}
