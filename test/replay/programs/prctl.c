/* SPDX-License-Identifier: MIT
 * The process's own attributes.
 */
#include <sys/prctl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char name[16] = "";
	int v = -1;

	TRY(prctl(PR_GET_NAME, name));
	printf("%s\n", name);
	TRY(prctl(PR_SET_NAME, "renamed"));
	TRY(prctl(PR_GET_NAME, name));
	printf("%s\n", name);
	TRY(prctl(PR_GET_DUMPABLE));
	TRY(prctl(PR_SET_PDEATHSIG, 0));
	TRY(prctl(PR_GET_PDEATHSIG, &v));
	printf("%d\n", v);
	TRY(prctl(PR_GET_SECCOMP));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY(prctl(PR_GET_TIMERSLACK));
	TRY(prctl(PR_SET_CHILD_SUBREAPER, 1));
	TRY(prctl(PR_GET_CHILD_SUBREAPER, &v));
	printf("%d\n", v);
	TRY(prctl(PR_CAPBSET_READ, 0));
	TRY(prctl(9999));
	return 0;
}
