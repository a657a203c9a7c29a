/* SPDX-License-Identifier: MIT
 * A child stores in memory that it shares with the process: nobody saw that.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (!fork()) {
		strcpy(m, "from the child");
		_exit(0);
	}
	wait(NULL);
	printf("[%s]\n", m);
	return 0;
}
