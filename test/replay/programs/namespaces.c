/* SPDX-License-Identifier: MIT
 * Namespaces of its own: user, mount, UTS; a file system mounted, a root changed.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct utsname name;
	int fd;

	TRY(unshare(CLONE_NEWNS | CLONE_NEWUTS));
	TRY(sethostname("elsewhere", 9));
	TRY(uname(&name));
	printf("%s\n", name.nodename);
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	TRY(mkdir("root", 0700));
	TRY(mount("none", "root", "tmpfs", 0, "size=1m"));
	fd = open("root/file", O_RDWR | O_CREAT, 0600);
	TRY(write(fd, "text", 4));
	TRY(chroot("root"));
	TRY(chdir("/"));
	TRY(access("/file", R_OK));
	TRY(access("/etc", R_OK));
	TRY(unshare(CLONE_NEWUSER));
	TRY(getuid());
	TRY(umount2("/", MNT_DETACH));
	return 0;
}
