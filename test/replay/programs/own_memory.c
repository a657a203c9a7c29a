/* SPDX-License-Identifier: MIT
 * Its own memory written by a call: refused by name.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char from[] = "written", to[8] = "";
	struct iovec local = {from, 8}, remote = {to, 8};

	process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	printf("%s\n", to);
	return 0;
}
