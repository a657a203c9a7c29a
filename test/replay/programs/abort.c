/* SPDX-License-Identifier: MIT
 * Dies of its own hand.
 */
#include <unistd.h>

#include "show.h"

int main(void)
{
	printf("about to abort\n");
	fflush(stdout);
	abort();
}
