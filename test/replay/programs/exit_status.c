/* SPDX-License-Identifier: MIT
 * Ends with a status of its own, atexit handlers run.
 */
#include <unistd.h>

#include "show.h"

static void last(void)
{
	printf("last words\n");
}

int main(void)
{
	atexit(last);
	return 42;
}
