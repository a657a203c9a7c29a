/* SPDX-License-Identifier: MIT
 * Recovery of a torn end; see recover.h.
 */
#include "log/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/boots.h"
#include "log/folder.h"
#include "log/json.h"
#include "log/segment.h"

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

/* The run that a header's text names. 0, -EBADMSG or -ENOMEM. */
static int read_run(const char *text, uint64_t *ret_run)
{
	cJSON *root = NULL;
	int r = kp_log_json_read(text, strlen(text), &root);
	const char *run = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "run"));
	char *end = NULL;

	if (r >= 0)
		*ret_run = run ? strtoull(run, &end, 16) : 0;
	if (r >= 0 && (!run || !*run || *end))
		r = -EBADMSG;
	cJSON_Delete(root);
	return r;
}

/* Headers alone: recovery has looked at the payloads. */
static int walk_tail(int fd, struct kp_log_tail *tail)
{
	struct kp_seg_start start;
	struct kp_seg_scan scan;
	struct kp_seg_item item;
	char *text = NULL;
	const char *why;
	struct stat st;
	int r = kp_seg_read_hdr(fd, &start, &text, &why);

	if (r >= 0)
		r = read_run(text, &tail->run);
	free(text);
	if (r >= 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	kp_seg_scan_init(&scan, fd, &start, (uint64_t)st.st_size);
	if (scan.has_seal && scan.seal.reason != KP_END_FULL)
		return -EBADMSG; /* the run has an end */
	while ((r = kp_seg_scan_next(&scan, &item)) > 0)
		if (item.is_gap)
			break;
	tail->block_cnt = scan.next_sequence;
	tail->prev = scan.prev;
	kp_seg_scan_done(&scan);
	return r > 0 ? -EBADMSG : r;
}

int kp_log_read_tail(int boot_fd, struct kp_log_tail *ret_tail)
{
	char name[KP_SEG_NAME_MAX];
	int fd, r = kp_seg_find_last(boot_fd, &ret_tail->segment);

	if (r < 0)
		return r;
	if (!ret_tail->segment)
		return -ENOENT;
	kp_seg_name(ret_tail->segment, name);
	fd = kp_folder_open_file(boot_fd, name, O_RDONLY);
	if (fd < 0)
		return fd;
	r = walk_tail(fd, ret_tail);
	close(fd);
	return r;
}

/* The run of a segment, by its header. */
static int read_run_of(int boot_fd, uint64_t sequence, uint64_t *ret_run)
{
	struct kp_seg_start start;
	char *text;
	int r = kp_boots_read_hdr(boot_fd, sequence, &start, &text);

	if (r >= 0)
		r = read_run(text, ret_run);
	free(text);
	return r;
}

int kp_log_newest_run(const char *dir, uint64_t *ret_run)
{
	int dir_fd = kp_folder_open(AT_FDCWD, dir), boot_fd, r;
	uint64_t sequence, number;
	char boot[256];

	if (dir_fd < 0)
		return dir_fd;
	r = kp_log_find_newest(dir_fd, boot, &sequence, &number);
	boot_fd = r < 0 ? r : kp_folder_open(dir_fd, boot);
	close(dir_fd);
	if (boot_fd < 0)
		return boot_fd;
	r = read_run_of(boot_fd, sequence, ret_run);
	if (r == -EBADMSG && sequence > 1) /* its header is torn: recovery removes it */
		r = read_run_of(boot_fd, sequence - 1, ret_run);
	close(boot_fd);
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
