/* SPDX-License-Identifier: MIT
 * Real control groups and folders of pods' logs, for the tests that need them.
 */
#ifndef KP_TEST_GROUPS_H
#define KP_TEST_GROUPS_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "3f4d29c1e5b86a70f2c9d4e8b1a6573c0d9e2f8a7b4c5d6e1f0a9b8c7d6e5f40"
#define UID "0ab3c9d1-4e5f-4a6b-8c7d-9e0f1a2b3c4d"

/* --- control groups --- */

static char mounted[256]; /* root of the hierarchy that the test uses */

/* Whether one of the options, separated by commas, is this, or begins with it up to '='. */
static inline bool has_option(const char *options, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = options; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
		if (!strncmp(at, option, len) &&
		    (option[len - 1] == '=' || at[len] == ',' || !at[len]))
			return true;
	return false;
}

/* Finds where a hierarchy is mounted: of version 2, or of version 1 with this controller. */
static inline bool find_mount(const char *controller)
{
	FILE *file = fopen("/proc/self/mounts", "re");
	char line[1024], type[64], options[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %255s %63s %511s", mounted, type, options) == 3 &&
			(controller ? !strcmp(type, "cgroup") && has_option(options, controller)
				    : !strcmp(type, "cgroup2"));
	if (file)
		fclose(file);
	return found;
}

static inline void need_mount(const char *controller)
{
	if (!find_mount(controller))
		cr_skip_test("no control groups are mounted here: %s",
			     controller ? controller : "version 2");
}

static inline void write_text(const char *folder, const char *name, const char *text)
{
	char path[1200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(2);
	close(fd);
}

/* Makes all folders of the path below `mounted`, or removes them that are empty. */
static inline void each_folder(const char *path, bool makes)
{
	char whole[1024], *end;
	size_t root = strlen(mounted);

	snprintf(whole, sizeof(whole), "%s/%s", mounted, path);
	if (makes) {
		for (end = whole + root + 1; (end = strchr(end, '/')); *end++ = '/') {
			*end = '\0';
			mkdir(whole, 0755);
		}
		if (mkdir(whole, 0755) && errno != EEXIST)
			_exit(6);
		return;
	}
	for (; strlen(whole) > root; *strrchr(whole, '/') = '\0')
		rmdir(whole);
}

/* --- folders of logs --- */

static char logs[64];

static inline void make_pod(const char *space, const char *name, const char *uid)
{
	char path[256], link[512];

	snprintf(path, sizeof(path), "%s/pods/%s_%s_%s", logs, space, name, uid);
	if (mkdir(path, 0755))
		_exit(7);
	strncat(path, "/main/0.log", sizeof(path) - strlen(path) - 1);
	snprintf(link, sizeof(link), "%s/containers/%s_%s_main-" ID ".log", logs, name, space);
	if (symlink(path, link))
		_exit(8);
}

static inline void make_logs(void)
{
	char path[128];

	strcpy(logs, "/tmp/kprobe-pods-XXXXXX");
	cr_assert(mkdtemp(logs));
	snprintf(path, sizeof(path), "%s/pods", logs);
	cr_assert_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/containers", logs);
	cr_assert_eq(mkdir(path, 0755), 0);
}

static inline void remove_logs(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", logs);
	cr_assert_eq(system(command), 0);
}

#endif
