/* SPDX-License-Identifier: MIT
 * A program started with a megabyte of arguments and environment.
 */
#include <unistd.h>

#include "show.h"

int main(void)
{

	static char word[2000];
	static char *argv[400], *envp[100];

	if (getenv("KP_AGAIN")) {
		printf("again: %zu\n", strlen(getenv("KP_AGAIN")));
		return 0;
	}
	memset(word, 'w', sizeof word - 1);
	for (int i = 0; i < 399; i++)
		argv[i] = word;
	for (int i = 0; i < 99; i++)
		envp[i] = word;
	memcpy(word, "KP_AGAIN=", 9);
	fflush(stdout);
	execve("/proc/self/exe", argv, envp);
	printf("exec failed\n");
	return 0;
}
