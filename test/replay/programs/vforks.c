/* SPDX-License-Identifier: MIT
 * Children that borrow the memory: what they leave there, one after the other and nested.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	volatile int left = 0;
	pid_t pid;

	for (int i = 1; i <= 3; i++) {
		pid = vfork();
		if (pid == 0) {
			left += i;
			if (i == 2)
				execl("/nonexistent", "x", NULL);
			_exit(i);
		}
		TRY(waitpid(pid, NULL, 0) == pid);
		printf("left: %d\n", left);
	}
	pid = vfork();
	if (pid == 0) {
		left = 100;
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	TRY(waitpid(pid, NULL, 0) == pid);
	printf("left: %d\n", left);
	return 0;
}
