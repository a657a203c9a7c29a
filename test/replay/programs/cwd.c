/* SPDX-License-Identifier: MIT
 * Where we are.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[4096];
	int fd = TRY(open("/usr", O_RDONLY | O_DIRECTORY)), here = TRY(open(".", O_RDONLY));

	printf("%s\n", getcwd(buf, sizeof(buf)));
	TRY(chdir("/usr/include"));
	printf("%s\n", getcwd(buf, sizeof(buf)));
	TRY(fchdir(fd));
	printf("%s\n", getcwd(buf, sizeof(buf)));
	printf("%s\n", getcwd(buf, 2) ? buf : strerror(errno));
	TRY(chdir("missing"));
	TRY(fchdir(here));
	printf("%s\n", realpath("../.", buf));
	return 0;
}
