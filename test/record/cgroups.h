/* SPDX-License-Identifier: MIT
 * Real control groups for tests, wherever the machine has the controller: version 1 or 2.
 */
#ifndef KP_TEST_CGROUPS_H
#define KP_TEST_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct group {
	char path[160];
	bool is_v2;
};

/* As a shell would; for children, which end where that fails. */
static inline bool write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;
	bool is_written;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	is_written = fputs(text, file) >= 0;
	return fclose(file) == 0 && is_written;
}

/* Whether the list has the word. */
static inline bool has_word(const char *list, const char *word, const char *separators)
{
	char *copy = strdup(list), *rest, *at;
	bool is_there = false;

	for (at = strtok_r(copy, separators, &rest); at; at = strtok_r(NULL, separators, &rest))
		is_there |= !strcmp(at, word);
	free(copy);
	return is_there;
}

static inline bool has_v2(const char *mount, const char *controller)
{
	char path[160], line[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		*line = '\0';
	fclose(file);
	return has_word(line, controller, " \n");
}

/* Where groups of the controller are made; "freeze" stands for what every group of version 2 has.
 */
static inline bool find_controller(const char *controller, struct group *ret)
{
	char mount[128], type[32], options[256];
	FILE *mounts = fopen("/proc/mounts", "re");
	bool is_found = false;

	while (mounts && !is_found &&
	       fscanf(mounts, "%*s %127s %31s %255s %*d %*d", mount, type, options) == 3) {
		ret->is_v2 = !strcmp(type, "cgroup2");
		is_found = ret->is_v2
				   ? !strcmp(controller, "freeze") || has_v2(mount, controller)
				   : !strcmp(type, "cgroup") && has_word(options, controller, ",");
	}
	if (mounts)
		fclose(mounts);
	snprintf(ret->path, sizeof(ret->path), "%s", mount);
	return is_found;
}

/* Makes a group of its own; false: the machine does not have the controller, or not for us. */
static inline bool make_group(const char *controller, const char *name, struct group *ret)
{
	char enable[64];

	if (!find_controller(controller, ret))
		return false;
	snprintf(enable, sizeof(enable), "+%s", controller);
	if (ret->is_v2 && strcmp(controller, "freeze"))
		write_file(ret->path, "cgroup.subtree_control", enable);
	snprintf(ret->path + strlen(ret->path), sizeof(ret->path) - strlen(ret->path), "/%s-%d",
		 name, (int)getpid());
	return mkdir(ret->path, 0755) == 0;
}

static inline bool enter_group(const struct group *group)
{
	return write_file(group->path, "cgroup.procs", "0");
}

/* What names it in the log. */
static inline uint64_t group_number(const struct group *group)
{
	struct stat st;

	return stat(group->path, &st) < 0 ? 0 : st.st_ino;
}

/* The number of its hierarchy as a process of it has it in /proc/self/cgroup. */
static inline uint32_t group_hierarchy(const struct group *group, const char *controller)
{
	char line[512], list[256] = "";
	unsigned number = 0;
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (!group->is_v2 && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%u:%255[^:]", &number, list) == 2 &&
		    has_word(list, controller, ","))
			break;
	}
	if (file)
		fclose(file);
	return group->is_v2 ? 0 : number;
}

#endif
