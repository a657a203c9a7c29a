/* SPDX-License-Identifier: MIT
 * Hard and symbolic links.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[256];
	struct stat st;
	long n;

	TRY(symlink("input.txt", "soft"));
	TRY(link("input.txt", "hard"));
	TRY(linkat(AT_FDCWD, "soft", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW));
	TRY(stat("hard", &st));
	printf("links %lu\n", (unsigned long)st.st_nlink);
	n = TRY(readlink("soft", buf, sizeof(buf)));
	printf("[%.*s]\n", (int)n, buf);
	n = TRY(readlink("/proc/self/exe", buf, sizeof(buf)));
	printf("[%.*s]\n", (int)n, buf);
	n = TRY(readlinkat(AT_FDCWD, "soft", buf, 3));
	printf("[%.*s]\n", (int)n, buf);
	TRY(readlink("hard", buf, sizeof(buf)));
	TRY(symlinkat("x", AT_FDCWD, "soft"));
	TRY(unlink("soft"));
	TRY(unlink("hard"));
	TRY(unlink("hard2"));
	return 0;
}
