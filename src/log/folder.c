/* SPDX-License-Identifier: MIT
 * Opening folders and files of a log; see folder.h.
 */
#include "log/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user for whom sudo(8) runs us; our own if it does not. Only root is told who it was. */
static uid_t asking_user(void)
{
	const char *text = geteuid() ? NULL : getenv("SUDO_UID");
	char *end = NULL;
	unsigned long uid = text ? strtoul(text, &end, 10) : 0;

	return text && *text && !*end ? (uid_t)uid : geteuid();
}

static int check_owner(const struct stat *st, const char *name, struct kp_err *err)
{
	if (st->st_uid != geteuid() && st->st_uid != asking_user())
		return kp_err_set(err, -EPERM,
				  "%s belongs to another user (%u), who could take the log away or "
				  "replace it: choose another folder, or chown it",
				  name, st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return kp_err_set(
			err, -EPERM,
			"others can write to %s (mode %04o), and so replace the log: chmod "
			"go-w it, or choose another folder",
			name, st->st_mode & 07777);
	return 0;
}

static int refuse(int at_fd, const char *path, const char *name, int error, struct kp_err *err)
{
	struct stat st;

	if (!fstatat(at_fd, path, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode))
		return kp_err_set(err, -EPERM,
				  "%s is a symbolic link, which may lead anywhere: give the folder "
				  "itself",
				  name);
	return kp_err_sys(err, error, "cannot open the log's folder %s", name);
}

/* A slash behind a link's name would follow it. */
static char *without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

/* The folder in which the last part of path is, through no link on the way; *ret_last: that part.
 */
static int open_above(int at_fd, char *path, const char **ret_last)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	char *slash = strrchr(path, '/');
	const char *above = !slash ? "." : slash == path ? "/" : path;
	int fd;

	*ret_last = !slash ? path : slash[1] ? slash + 1 : ".";
	if (slash && slash != path)
		*slash = '\0';
	fd = (int)syscall(SYS_openat2, at_fd, above, &how, sizeof(how));
	if (fd < 0 &&
	    (errno == ENOSYS || errno == EPERM)) /* a container's filter may not know it */
		fd = openat(at_fd, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What is not there is the folder above: no log is looked for. */
static int cannot_make(const char *name, int error, struct kp_err *err)
{
	kp_err_sys(err, error, "cannot make the log's folder %s", name);
	return error == -ENOENT ? -ENOTDIR : error;
}

/* Makes and opens the folder `last` in another. */
static int make_in(int above_fd, const char *last, const char *name, int *ret_fd,
		   struct kp_err *err)
{
	struct stat st;
	int fd, r;

	if (mkdirat(above_fd, last, 0700) < 0 && errno != EEXIST)
		return cannot_make(name, -errno, err);
	fd = kp_folder_open(above_fd, last);
	if (fd < 0)
		return refuse(above_fd, last, name, fd, err);
	r = fstat(fd, &st) < 0 ? kp_err_sys(err, -errno, "cannot look at %s", name)
			       : check_owner(&st, name, err);
	if (r >= 0)
		*ret_fd = fd;
	else
		close(fd);
	return r;
}

int kp_folder_make(int at_fd, const char *path, const char *name, int *ret_fd, struct kp_err *err)
{
	char *plain = without_slashes(path);
	const char *last;
	int above_fd, r;

	if (!plain)
		return kp_err_set(err, -ENOMEM, "out of memory");
	above_fd = open_above(at_fd, plain, &last);
	if (above_fd == -ELOOP) {
		r = kp_err_set(err, -EPERM,
			       "the path to %s leads through a symbolic link, which may lead "
			       "elsewhere tomorrow: give the path without it (realpath says it)",
			       name);
	} else if (above_fd < 0) {
		r = cannot_make(name, above_fd, err);
	} else {
		r = make_in(above_fd, last, name, ret_fd, err);
		close(above_fd);
	}
	free(plain);
	return r;
}

int kp_folder_open(int at_fd, const char *path)
{
	int fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int kp_folder_open_file(int dir_fd, const char *name, int flags)
{
	struct stat st;
	int fd;

	/* First by name: the mere opening of a device can do something. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -ENXIO : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENXIO;
	}
	return fd;
}

bool kp_folder_is_fault(int error)
{
	return error == -EIO || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}
