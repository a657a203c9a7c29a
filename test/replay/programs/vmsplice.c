/* SPDX-License-Identifier: MIT
 * Pages given to a pipe, which would see later changes of them.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[8] = "";
	int p[2];

	TRY(pipe(p));
	TRY(vmsplice(p[1], &(struct iovec){"gift", 4}, 1, 0));
	TRY(read(p[0], buf, 4));
	printf("[%s]\n", buf);
	return 0;
}
