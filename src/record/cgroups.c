/* SPDX-License-Identifier: MIT
 * Walking the mounted hierarchies; see cgroups.h.
 */
#include "record/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIERARCHIES_MAX 64
#define DEPTH_MAX 64
#define PATH_LEN_MAX 4096

/* Numbers of hierarchies and, of those of version 1, one of their controllers, or their name. */
struct hierarchies {
	struct {
		uint32_t number;
		char option[64]; /* of its mount; empty: version 2 */
		bool is_done;
	} at[HIERARCHIES_MAX];
	unsigned cnt;
};

struct walk {
	kp_cgroup_fn fn;
	void *arg;
	struct kp_cgroup_key key;
	char path[PATH_LEN_MAX];
	unsigned depth;
};

static FILE *open_file_of(const char *process, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", process, name);
	return fopen(path, "re");
}

/* Lines of /proc/PID/cgroup: number, controllers separated by commas, path. */
static void read_hierarchies(struct hierarchies *ret)
{
	FILE *file = open_file_of("self", "cgroup");
	char *line = NULL;
	size_t cap = 0;

	ret->cnt = 0;
	while (file && getline(&line, &cap, file) > 0 && ret->cnt < HIERARCHIES_MAX) {
		memset(&ret->at[ret->cnt], 0, sizeof(ret->at[0]));
		if (sscanf(line, "%u:%63[^,:]", &ret->at[ret->cnt].number,
			   ret->at[ret->cnt].option) >= 1)
			ret->cnt++;
	}
	free(line);
	if (file)
		fclose(file);
}

bool kp_cgroup_has_option(const char *options, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = options; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
		if (!strncmp(at, option, len) && (!at[len] || at[len] == ',' || at[len] == '\n'))
			return true;
	return false;
}

/* What is done with the folder and those below it; closes fd. */
static void walk_folder(struct walk *walk, int fd)
{
	DIR *dir = fdopendir(fd);
	size_t len = strlen(walk->path);
	struct dirent *entry;
	struct stat st;
	int below;

	if (!dir) {
		close(fd);
		return;
	}
	if (!fstat(fd, &st)) {
		walk->key.cgroup = st.st_ino;
		walk->fn(&walk->key, len ? walk->path : "/", walk->arg);
	}
	walk->depth++;
	while (walk->depth < DEPTH_MAX && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    len + strlen(entry->d_name) + 2 > sizeof(walk->path))
			continue;
		below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		snprintf(walk->path + len, sizeof(walk->path) - len, "/%s", entry->d_name);
		if (below >= 0)
			walk_folder(walk, below);
		walk->path[len] = '\0';
	}
	walk->depth--;
	closedir(dir);
}

/* A mount of which only a part of the hierarchy is seen shows what is below its root. False: we may
 * not look at it. */
static bool walk_mount(struct walk *walk, const char *process, const char *root, const char *place)
{
	char path[PATH_LEN_MAX + 64];
	int fd;

	if (strstr(root, "/..")) /* above the part of the hierarchy that we may see */
		return false;
	snprintf(walk->path, sizeof(walk->path), "%s", strcmp(root, "/") != 0 ? root : "");
	snprintf(path, sizeof(path), "/proc/%s/root%s", process, place);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		walk_folder(walk, fd);
	return fd >= 0;
}

/* A line of mountinfo: id, parent, device, root, place, options ..., "-", type, source, options of
 * the file system. */
static void walk_line(struct walk *walk, struct hierarchies *hierarchies, const char *process,
		      const char *line)
{
	char root[PATH_LEN_MAX], place[PATH_LEN_MAX], type[16], options[512];
	const char *dash = strstr(line, " - ");

	if (!dash || sscanf(dash, " - %15s %*s %511s", type, options) != 2 ||
	    (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0) ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, place) != 2)
		return;
	for (unsigned i = 0; i < hierarchies->cnt; i++) {
		const char *option = hierarchies->at[i].option;

		if (hierarchies->at[i].is_done || !strcmp(type, "cgroup2") != !option[0] ||
		    (option[0] && !kp_cgroup_has_option(options, option)))
			continue;
		walk->key = (struct kp_cgroup_key){.hierarchy = hierarchies->at[i].number};
		hierarchies->at[i].is_done = walk_mount(walk, process, root, place);
		return;
	}
}

void kp_cgroups_each(kp_cgroup_fn fn, void *arg)
{
	static const char *const processes[] = {"1", "self"};
	struct walk walk = {.fn = fn, .arg = arg};
	struct hierarchies hierarchies;
	char *line = NULL;
	size_t cap = 0;
	FILE *file;

	read_hierarchies(&hierarchies);
	for (size_t i = 0; i < sizeof(processes) / sizeof(*processes); i++) {
		file = open_file_of(processes[i], "mountinfo");
		while (file && getline(&line, &cap, file) > 0)
			walk_line(&walk, &hierarchies, processes[i], line);
		if (file)
			fclose(file);
	}
	free(line);
}

uint32_t kp_cgroups_named(void)
{
	struct hierarchies hierarchies;
	uint32_t number = 0;

	read_hierarchies(&hierarchies);
	for (unsigned i = 0; i < hierarchies.cnt; i++) {
		const char *option = hierarchies.at[i].option;

		if (!strcmp(option, "name=systemd") || (!number && !strncmp(option, "name=", 5)))
			number = hierarchies.at[i].number;
	}
	return number;
}
