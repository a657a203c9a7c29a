/* SPDX-License-Identifier: MIT
 * The folder of what stays in the kernel; see pins.h.
 */
#include "record/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "log/folder.h"

#define USUAL_MOUNT "/sys/fs/bpf"
#define LOCK_TRIES 20
#define LOCK_WAIT_US 50000

static bool is_bpf(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == BPF_FS_MAGIC;
}

static int open_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The folder above, on a BPF file system. */
static int open_parent(const char *parent, struct kp_err *err)
{
	int fd = open_folder(parent);

	if (fd >= 0 && !is_bpf(fd) && !strcmp(parent, USUAL_MOUNT)) {
		close(fd);
		if (mount("bpf", USUAL_MOUNT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0700") < 0)
			return kp_err_sys(err, -errno, "no BPF file system is mounted at %s",
					  parent);
		fd = open_folder(parent);
	}
	if (fd < 0)
		return kp_err_sys(err, fd, "cannot open %s", parent);
	if (is_bpf(fd))
		return fd;
	close(fd);
	return kp_err_set(err, -EINVAL,
			  "%s is on no BPF file system (mount -t bpf bpf FOLDER makes one)",
			  parent);
}

/* One that was killed this moment still has it for a while. */
static bool lock(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(LOCK_WAIT_US);
	}
	return false;
}

int kp_pins_open(const char *path, struct kp_err *err)
{
	const char *slash = strrchr(path, '/');
	char parent[4096];
	int parent_fd, fd = -1, r;

	if (!slash || slash == path || !slash[1] || strlen(path) >= sizeof(parent))
		return kp_err_set(err, -EINVAL,
				  "'%s' is no folder's full path on a BPF file system", path);
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	parent_fd = open_parent(parent, err);
	if (parent_fd < 0)
		return parent_fd;
	r = kp_folder_make(parent_fd, slash + 1, path, &fd, err);
	close(parent_fd);
	if (r >= 0 && !lock(fd)) {
		r = kp_err_set(err, -EBUSY, "another recorder is at work with %s", path);
		close(fd);
	}
	return r < 0 ? r : fd;
}

const char *kp_pins_explain(const struct kp_err *why)
{
	static char text[sizeof(why->text) + 128];

	snprintf(text, sizeof(text),
		 "a recorder that is killed cannot go on where it was, since %s (--pin none: "
		 "without this word)",
		 why->text);
	return text;
}

/* bpf(2) takes no descriptor of a folder. */
static const char *path_of(int pins_fd, const char *name, char *path, size_t cap)
{
	snprintf(path, cap, "/proc/self/fd/%d/%s", pins_fd, name);
	return path;
}

int kp_pins_put(int pins_fd, int fd, const char *name)
{
	char path[128];

	return bpf_obj_pin(fd, path_of(pins_fd, name, path, sizeof(path))) < 0 ? -errno : 0;
}

int kp_pins_get(int pins_fd, const char *name)
{
	char path[128];
	int fd = bpf_obj_get(path_of(pins_fd, name, path, sizeof(path)));

	return fd < 0 ? -errno : fd;
}

void kp_pins_remove(int pins_fd, const char *name)
{
	unlinkat(pins_fd, name, 0);
}

int kp_pins_clear(int pins_fd)
{
	int fd = openat(pins_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), cnt = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		cnt = -errno;
		if (fd >= 0)
			close(fd);
		return cnt;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			cnt += !unlinkat(pins_fd, entry->d_name, 0);
	closedir(dir);
	return cnt;
}
