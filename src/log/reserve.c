/* SPDX-License-Identifier: MIT
 * Room for the last words; see reserve.h.
 */
#include "log/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define RESERVE_LEN (1 << 20)

int kp_reserve_make(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return -errno;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, RESERVE_LEN) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int kp_reserve_name(int fd, int dir_fd, const char *name)
{
	char path[64];

	/* By descriptor alone needs CAP_DAC_READ_SEARCH (linkat(2)). */
	if (!linkat(fd, "", dir_fd, name, AT_EMPTY_PATH))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}
