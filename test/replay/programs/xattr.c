/* SPDX-License-Identifier: MIT
 * Extended attributes.
 */
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[256] = "";
	int fd = TRY(open("x", O_RDWR | O_CREAT, 0600));
	long n;

	TRY(setxattr("x", "user.one", "eins", 4, 0));
	TRY(fsetxattr(fd, "user.two", "zwei", 4, XATTR_CREATE));
	TRY(fsetxattr(fd, "user.two", "zwei", 4, XATTR_CREATE));
	n = TRY(listxattr("x", buf, sizeof(buf)));
	if (n > 0)
		hex("list", buf, (size_t)n);
	TRY(flistxattr(fd, NULL, 0));
	n = TRY(getxattr("x", "user.one", buf, sizeof(buf)));
	if (n > 0)
		hex("one", buf, (size_t)n);
	TRY(getxattr("x", "user.one", NULL, 0));
	n = TRY(fgetxattr(fd, "user.two", buf, 2));
	TRY(lgetxattr("x", "user.missing", buf, sizeof(buf)));
	TRY(removexattr("x", "user.one"));
	TRY(fremovexattr(fd, "user.one"));
	return 0;
}
