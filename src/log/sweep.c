/* SPDX-License-Identifier: MIT
 *
 * Sweeping objects; see sweep.h. Of the log only the events are read that name objects. What is
 * kept of their names is its begin: two that begin alike keep each other.
 */
#include "log/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "event/event.h"
#include "event/kinds.h"
#include "log/boots.h"
#include "log/folder.h"
#include "log/object_set.h"
#include "log/reader.h"

bool kp_sweep_may_name(const struct kp_set *kinds)
{
	return kp_set_has(kinds, KP_EV_file_object);
}

/* --- what is named --- */

static int add_name(struct kp_map *named, const struct kp_ev_file_object *event)
{
	struct kp_object object;

	return kp_object_of(event, &object) ? kp_map_put(named, kp_object_key(&object), 1) : 0;
}

/* Whether something that may name objects is there and was not read. */
static bool is_damaged(const struct kp_log_info *info)
{
	for (size_t i = 0; i < info->gap_cnt; i++)
		if (!info->gaps[i].torn && info->gaps[i].len)
			return true;
	return false;
}

/* 0; -EBADMSG: not all of it could be read. */
static int read_boot(int log_fd, const char *boot, struct kp_map *named)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_file_object)};
	struct kp_log_reader *reader = NULL;
	const struct kp_hdr *event;
	char path[320];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", log_fd, boot);
	r = kp_log_open(path, &filter, &reader, NULL);
	while (r >= 0 && (r = kp_log_next(reader, &event, NULL)) > 0)
		r = add_name(named, (const struct kp_ev_file_object *)event);
	if (r >= 0 && is_damaged(kp_log_get_info(reader)))
		r = -EBADMSG;
	kp_log_reader_free(reader);
	return r;
}

static int read_names(int log_fd, struct kp_map *named)
{
	struct kp_boot *boots = NULL;
	size_t cnt = 0;
	int r = kp_boots_list(log_fd, &boots, &cnt);

	for (size_t i = 0; i < cnt && r >= 0; i++)
		r = read_boot(log_fd, boots[i].name, named);
	free(boots);
	return r;
}

/* --- what is not --- */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The object of a folder's and a file's name; false: it is none. */
static bool parse_name(const char *folder, const char *file, struct kp_object *ret_object)
{
	char name[KP_OBJECT_NAME_LEN], *at = name;
	int high, low;

	if (strlen(folder) != 2 || strlen(file) != 2 * KP_OBJECT_HASH_LEN - 2)
		return false;
	sprintf(name, "%s%s", folder, file);
	for (int i = 0; i < KP_OBJECT_HASH_LEN; i++, at += 2) {
		high = digit(at[0]);
		low = digit(at[1]);
		if (high < 0 || low < 0)
			return false;
		ret_object->hash[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* What has a folder's descriptor, which is closed with it; NULL: it cannot be read. */
static DIR *open_dir(int at_fd, const char *name)
{
	int fd = kp_folder_open(at_fd, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static void sweep_folder(int objects_fd, const char *folder, const struct kp_map *named)
{
	DIR *dir = open_dir(objects_fd, folder);
	struct kp_object object;
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (parse_name(folder, entry->d_name, &object) &&
		    !kp_map_get(named, kp_object_key(&object)))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	unlinkat(objects_fd, folder, AT_REMOVEDIR); /* if it is empty */
}

int kp_sweep_objects(int log_fd)
{
	DIR *dir = open_dir(log_fd, KP_OBJECT_FOLDER);
	struct kp_map named = {0};
	struct dirent *entry;
	int r;

	if (!dir)
		return 0;
	r = read_names(log_fd, &named);
	while (r >= 0 && (entry = readdir(dir)))
		if (strlen(entry->d_name) == 2)
			sweep_folder(dirfd(dir), entry->d_name, &named);
	closedir(dir);
	kp_map_done(&named);
	return r == -EBADMSG ? 0 : r;
}
