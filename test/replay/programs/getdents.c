/* SPDX-License-Identifier: MIT
 * Lists folders in the order the file system gives.
 */
#include <dirent.h>
#include <sys/types.h>

#include "show.h"

static void list(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	if (!dir) {
		printf("%s: %s\n", path, strerror(errno));
		return;
	}
	while ((d = readdir(dir)))
		printf("%lu %ld %d %s\n", (unsigned long)d->d_ino, (long)d->d_off, d->d_type,
		       d->d_name);
	rewinddir(dir);
	d = readdir(dir);
	printf("again: %s\n", d ? d->d_name : "none");
	closedir(dir);
}

int main(void)
{
	list(".");
	list("/usr/include");
	list("/proc/self/fd");
	list("/missing");
	return 0;
}
