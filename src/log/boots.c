/* SPDX-License-Identifier: MIT
 *
 * What tells which of several boots is the older; see boots.h. The wall clock is not asked before
 * the rest: it may have been set back, or be at 1970 until the network is up.
 */
#include "log/boots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "log/folder.h"
#include "log/json.h"
#include "log/segment.h"

/* So many segments at the end of a boot's folder may have a torn header each. */
#define HEADERS_MAX 8

static int compare_boots(const void *a, const void *b)
{
	const struct kp_boot *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->realtime_ns < y->realtime_ns ? -1 : x->realtime_ns > y->realtime_ns;
}

/* The boot's number in a header's text; 0 if it has none. 0 or -ENOMEM. */
static int read_number(const char *text, uint64_t *ret_number)
{
	const cJSON *number;
	cJSON *root = NULL;
	double value;

	if (kp_log_json_read(text, strlen(text), &root) == -ENOMEM)
		return -ENOMEM;
	number = cJSON_GetObjectItemCaseSensitive(root, "boot_number");
	value = cJSON_IsNumber(number) ? number->valuedouble : 0;
	cJSON_Delete(root);
	*ret_number = value >= 1 && value < 9007199254740992.0 ? (uint64_t)value : 0;
	return 0;
}

int kp_boots_read_hdr(int boot_fd, uint64_t sequence, struct kp_seg_start *ret_start,
		      char **ret_text)
{
	char name[KP_SEG_NAME_MAX];
	const char *why;
	int fd, r;

	*ret_text = NULL;
	kp_seg_name(sequence, name);
	fd = kp_folder_open_file(boot_fd, name, O_RDONLY);
	if (fd < 0)
		return fd;
	r = kp_seg_read_hdr(fd, ret_start, ret_text, &why);
	close(fd);
	return r;
}

/* By the header of a segment; -EBADMSG when it is torn. */
static int read_age(int boot_fd, uint64_t sequence, struct kp_boot *boot)
{
	struct kp_seg_start start;
	char *text;
	int r = kp_boots_read_hdr(boot_fd, sequence, &start, &text);

	if (r >= 0) {
		boot->realtime_ns = start.hdr.realtime_ns;
		r = read_number(text, &boot->number);
	}
	free(text);
	return r;
}

/* What the folder boot->name holds, by the newest header that can be read rather than by the files,
 * whose times a copy changes. -ENOENT: no segment. */
static int read_boot(int dir_fd, struct kp_boot *boot)
{
	int boot_fd = kp_folder_open(dir_fd, boot->name), r;

	if (boot_fd < 0)
		return boot_fd;
	r = kp_seg_find_last(boot_fd, &boot->last);
	if (r >= 0 && !boot->last)
		r = -ENOENT;
	if (r >= 0) {
		r = -EBADMSG;
		for (uint64_t i = 0; i < HEADERS_MAX && i < boot->last && r < 0; i++) {
			r = read_age(boot_fd, boot->last - i, boot);
			if (kp_folder_is_fault(r))
				break;
		}
		r = kp_folder_is_fault(r) ? r : 0;
	}
	close(boot_fd);
	return r;
}

int kp_boots_list(int dir_fd, struct kp_boot **ret_boots, size_t *ret_cnt)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	KP_VEC(struct kp_boot) boots = {0};
	struct dirent *entry;
	struct kp_boot boot;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		boot = (struct kp_boot){.last = 0};
		snprintf(boot.name, sizeof(boot.name), "%s", entry->d_name);
		r = read_boot(dir_fd, &boot);
		if (r >= 0)
			r = KP_VEC_PUSH(&boots, boot);
		else if (!kp_folder_is_fault(r))
			r = 0; /* no boot's folder */
	}
	closedir(dir);
	if (r < 0) {
		KP_VEC_DONE(&boots);
		return r;
	}
	if (boots.cnt)
		qsort(boots.at, boots.cnt, sizeof(*boots.at), compare_boots);
	*ret_boots = boots.at;
	*ret_cnt = boots.cnt;
	return 0;
}

int kp_log_find_newest(int dir_fd, char name[256], uint64_t *ret_sequence,
		       uint64_t *ret_boot_number)
{
	struct kp_boot *boots = NULL, *newest;
	size_t cnt = 0;
	int r = kp_boots_list(dir_fd, &boots, &cnt);

	if (r >= 0 && !cnt)
		r = -ENOENT;
	if (r >= 0) {
		newest = &boots[cnt - 1];
		memcpy(name, newest->name, sizeof(newest->name));
		*ret_sequence = newest->last;
		*ret_boot_number = newest->number;
	}
	free(boots);
	return r;
}

/* Whether the folder has segments: it is a boot's then, and else a log's. */
static bool is_boot(int fd)
{
	uint64_t last = 0;

	return kp_seg_find_last(fd, &last) >= 0 && last;
}

int kp_boots_open_log(const char *path)
{
	char *copy = strdup(path);
	int fd, boot_fd;

	if (!copy)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	if (!is_boot(fd))
		return fd;
	boot_fd = fd;
	fd = openat(boot_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(boot_fd);
	return fd < 0 ? -errno : fd;
}
