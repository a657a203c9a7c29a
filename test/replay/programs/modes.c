/* SPDX-License-Identifier: MIT
 * Permissions and owners.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct stat st;
	int fd;

	TRY(umask(027));
	TRY(umask(022));
	fd = TRY(open("m", O_RDWR | O_CREAT, 0666));
	TRY(fchmod(fd, 0604));
	TRY(chmod("m", 0600));
	TRY(fchmodat(AT_FDCWD, "m", 0640, 0));
	TRY(chown("m", 1, 2));
	TRY(fchown(fd, (uid_t)-1, 3));
	TRY(lchown("m", 4, 5));
	TRY(fchownat(fd, "", 6, 7, AT_EMPTY_PATH));
	TRY(fstat(fd, &st));
	printf("%o %u %u\n", st.st_mode, st.st_uid, st.st_gid);
	TRY(chmod("missing", 0));
	return 0;
}
