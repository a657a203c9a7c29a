/* SPDX-License-Identifier: MIT
 * Ends by a signal that it sends itself.
 */
#include <signal.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	printf("about to be terminated\n");
	fflush(stdout);
	kill(getpid(), SIGTERM);
	pause();
	return 1;
}
