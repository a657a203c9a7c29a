/* SPDX-License-Identifier: MIT
 * Recovery of a torn end; see recover.h.
 */
#include "log/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/folder.h"
#include "log/json.h"
#include "log/segment.h"

/* So many segments at the end of a boot's folder may have a torn header each. */
#define HEADERS_MAX 8

/* What tells which of several boots is the newest. The wall clock is not asked before the rest: it
 * may have been set back, or be at 1970 until the network is up. */
struct age {
	uint64_t boot_number;
	uint64_t realtime_ns;
};

static bool is_newer(const struct age *a, const struct age *b)
{
	return a->boot_number != b->boot_number ? a->boot_number > b->boot_number
						: a->realtime_ns > b->realtime_ns;
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

/* By the header of a segment; -EBADMSG when it is torn. */
static int read_age(int boot_fd, uint64_t sequence, struct age *ret_age)
{
	char name[KP_SEG_NAME_MAX], *text = NULL;
	struct kp_seg_start start;
	const char *why;
	int fd, r;

	kp_seg_name(sequence, name);
	fd = kp_folder_open_file(boot_fd, name, O_RDONLY);
	if (fd < 0)
		return fd;
	r = kp_seg_read_hdr(fd, &start, &text, &why);
	close(fd);
	if (r >= 0) {
		ret_age->realtime_ns = start.hdr.realtime_ns;
		r = read_number(text, &ret_age->boot_number);
	}
	free(text);
	return r;
}

/* The newest segment of a boot's folder, and how old that boot is, by the newest header that can be
 * read rather than by the files, whose times a copy changes; all zero when none can. */
static int newest_segment(int dir_fd, const char *boot, uint64_t *ret_sequence, struct age *ret_age)
{
	int boot_fd = kp_folder_open(dir_fd, boot), r;
	uint64_t last;

	if (boot_fd < 0)
		return boot_fd;
	r = kp_seg_find_last(boot_fd, &last);
	if (r >= 0 && !last)
		r = -ENOENT;
	if (r >= 0) {
		*ret_sequence = last;
		*ret_age = (struct age){0};
		r = -EBADMSG;
		for (uint64_t i = 0; i < HEADERS_MAX && i < last && r < 0; i++) {
			r = read_age(boot_fd, last - i, ret_age);
			if (kp_folder_is_fault(r))
				break;
		}
		r = kp_folder_is_fault(r) ? r : 0;
	}
	close(boot_fd);
	return r;
}

int kp_log_find_newest(int dir_fd, char name[256], uint64_t *ret_sequence,
		       uint64_t *ret_boot_number)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -ENOENT;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct age age = {0}, newest = {0};
	struct dirent *entry;
	uint64_t sequence = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		int found = entry->d_name[0] == '.'
				    ? -ENOENT
				    : newest_segment(dir_fd, entry->d_name, &sequence, &age);

		if (kp_folder_is_fault(found)) {
			r = found;
			break;
		}
		if (found < 0)
			continue;
		if (r < 0 || is_newer(&age, &newest)) {
			snprintf(name, 256, "%s", entry->d_name);
			*ret_sequence = sequence;
			*ret_boot_number = age.boot_number;
			newest = age;
			r = 0;
		}
	}
	closedir(dir);
	return r;
}

/* Length of a segment up to the end of its last block that is whole, payload and all. */
static int find_end(int fd, const struct kp_seg_start *start, uint64_t file_len, uint64_t *ret_len)
{
	struct kp_seg_scan scan;
	struct kp_seg_item item;
	void *payload = malloc(KP_STORED_MAX);
	int r, good;

	if (!payload)
		return -ENOMEM;
	kp_seg_scan_init(&scan, fd, start, file_len);
	*ret_len = scan.pos;
	while ((r = kp_seg_scan_next(&scan, &item)) > 0) {
		if (item.is_gap)
			continue;
		good = kp_seg_read_hashed(fd, item.offset + item.head->hdr.len,
					  item.head->hdr.stored_len, &item.head->hdr.payload,
					  payload);
		if (good < 0 && good != -EBADMSG) {
			r = good;
			break;
		}
		if (good == 0)
			*ret_len = item.offset + item.len;
	}
	if (scan.has_seal) /* whatever is damaged before it */
		*ret_len = file_len;
	free(payload);
	return r;
}

/* Whether a file is the folder's own: one that has another name too, or another owner than the
 * folder or us, may be somebody's whom cutting it would harm. */
static bool is_own(int boot_fd, const struct stat *st)
{
	struct stat folder;

	return st->st_nlink == 1 && fstat(boot_fd, &folder) == 0 &&
	       (st->st_uid == geteuid() || st->st_uid == folder.st_uid);
}

static int recover_segment(int boot_fd, const char *name, struct kp_recovery *recovery)
{
	int fd = kp_folder_open_file(boot_fd, name, O_RDWR), r;
	uint64_t file_len, good_len = 0;
	struct kp_seg_start start;
	struct stat st;
	const char *why;
	char *text = NULL;

	if (fd < 0)
		return fd == -ENXIO ? 0 : fd;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r < 0 || !is_own(boot_fd, &st))
		goto out;
	file_len = (uint64_t)st.st_size;
	r = kp_seg_read_hdr(fd, &start, &text, &why);
	if (r == -EBADMSG) {
		r = 0;
		if (!kp_seg_is_hdr_torn(fd, file_len))
			goto out;
		if (unlinkat(boot_fd, name, 0) < 0)
			r = -errno;
	} else if (r >= 0) {
		r = find_end(fd, &start, file_len, &good_len);
		if (r < 0 || good_len == file_len)
			goto out;
		if (ftruncate(fd, (off_t)good_len) < 0 || fsync(fd) < 0)
			r = -errno;
	}
	recovery->was_torn = r >= 0;
	recovery->kept_len = good_len;
	recovery->cut_len = file_len - good_len;
out:
	free(text);
	close(fd);
	return r;
}

int kp_log_recover(int dir_fd, struct kp_recovery *ret_recovery, struct kp_err *err)
{
	struct kp_recovery recovery = {0};
	char boot[256], name[KP_SEG_NAME_MAX];
	uint64_t sequence;
	int boot_fd, r;

	r = kp_log_find_newest(dir_fd, boot, &sequence, &recovery.newest_number);
	if (r == -ENOENT) {
		*ret_recovery = recovery;
		return 0;
	}
	if (r < 0)
		return kp_err_sys(err, r, "cannot list the log's directory");
	snprintf(recovery.newest, sizeof(recovery.newest), "%s", boot);
	kp_seg_name(sequence, name);
	snprintf(recovery.name, sizeof(recovery.name), "%s/%s", boot, name);
	boot_fd = kp_folder_open(dir_fd, boot);
	r = boot_fd < 0 ? boot_fd : recover_segment(boot_fd, name, &recovery);
	if (boot_fd >= 0)
		close(boot_fd);
	if (r < 0)
		return kp_err_sys(err, r, "cannot recover the segment %s", recovery.name);
	*ret_recovery = recovery;
	return 0;
}
