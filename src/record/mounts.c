/* SPDX-License-Identifier: MIT
 * The mounts that processes see; see mounts.h.
 */
#include "record/mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IS_FOREIGN (1ull << 32) /* beside the device in the map's value */

/*
 * A file system on a block device answers from the kernel's memory, unless it is FUSE's. One
 * without is trusted only if it is one of these: network file systems and FUSE ask a server, and so
 * may any that is not known here.
 */
static const char *const kernel_types[] = {
	"bpf",      "btrfs",      "cgroup",    "cgroup2", "configfs", "debugfs", "devpts",
	"devtmpfs", "hugetlbfs",  "mqueue",    "overlay", "proc",     "pstore",  "ramfs",
	"rootfs",   "securityfs", "selinuxfs", "sysfs",   "tmpfs",    "tracefs", "zfs",
};

static bool is_foreign(unsigned major, const char *type)
{
	if (!strncmp(type, "fuse", 4))
		return true;
	if (major)
		return false;
	for (size_t i = 0; i < sizeof(kernel_types) / sizeof(*kernel_types); i++)
		if (!strcmp(type, kernel_types[i]))
			return false;
	return true;
}

/* One line: id, parent, device, root, mount point, options, tags ..., "-", type, source, options.
 */
static void add_line(struct kp_mounts *mounts, const char *line)
{
	const char *dash = strstr(line, " - ");
	unsigned id, major, minor;
	char type[64];

	if (!dash || sscanf(line, "%u %*u %u:%u", &id, &major, &minor) != 3 ||
	    sscanf(dash, " - %63s", type) != 1)
		return;
	kp_map_put(&mounts->mounts, id,
		   (major << 20 | minor) | (is_foreign(major, type) ? IS_FOREIGN : 0));
}

static void read_mounts(struct kp_mounts *mounts, uint32_t pid)
{
	char path[64], *line = NULL;
	size_t cap = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &cap, file) > 0)
		add_line(mounts, line);
	free(line);
	fclose(file);
}

bool kp_mounts_get(struct kp_mounts *mounts, uint32_t pid, uint64_t id, struct kp_mount *ret_mount)
{
	const uint64_t *value = kp_map_get(&mounts->mounts, id);
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	if (!value && !stat(path, &st) && !kp_map_get(&mounts->spaces, st.st_ino)) {
		kp_map_put(&mounts->spaces, st.st_ino, 1);
		read_mounts(mounts, pid);
		value = kp_map_get(&mounts->mounts, id);
	}
	if (!value)
		return false;
	*ret_mount = (struct kp_mount){(uint32_t)*value, *value & IS_FOREIGN};
	return true;
}

void kp_mounts_done(struct kp_mounts *mounts)
{
	kp_map_done(&mounts->mounts);
	kp_map_done(&mounts->spaces);
}
