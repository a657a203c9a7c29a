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
