/* SPDX-License-Identifier: MIT
 * What a process may ask and set about itself.
 */
#include <linux/prctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char name[16], auxv[400];
	int number = -1;
	long n;

	TRY(prctl(PR_SET_NAME, "renamed", 0, 0, 0));
	TRY(prctl(PR_GET_NAME, name, 0, 0, 0));
	printf("%s\n", name);
	TRY(prctl(PR_SET_PDEATHSIG, 12, 0, 0, 0));
	TRY(prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0));
	printf("signal: %d\n", number);
	TRY(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	TRY(prctl(PR_GET_CHILD_SUBREAPER, &number, 0, 0, 0));
	printf("reaper: %d\n", number);
	TRY(prctl(PR_CAPBSET_READ, 0, 0, 0, 0));
	TRY(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	TRY(prctl(PR_GET_TSC, &number, 0, 0, 0));
	printf("tsc: %d\n", number);
	n = prctl(0x41555856 /* PR_GET_AUXV */, auxv, sizeof auxv, 0, 0);
	printf("vector: %ld\n", n);
	if (n > 0)
		hex("first", auxv, 64);
	TRY(prctl(0x41555856, auxv, 8, 0, 0) > 0);
	return 0;
}
