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

#include "log/segment.h"

/*
 * When the newest segment of a boot's folder was begun, on CLOCK_REALTIME; by its header rather
 * than its file, whose times a copy changes. 0 when the header is torn.
 */
static int newest_segment(int dir_fd, const char *boot, uint64_t *ret_sequence,
			  uint64_t *ret_realtime_ns)
{
	int boot_fd = openat(dir_fd, boot, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, r;
	char name[KP_SEG_NAME_MAX], *text = NULL;
	struct kp_seg_hdr hdr = {0};
	const char *why;

	if (boot_fd < 0)
		return -errno;
	r = kp_seg_find_last(boot_fd, ret_sequence);
	if (r >= 0 && !*ret_sequence)
		r = -ENOENT;
	if (r < 0)
		goto out;
	kp_seg_name(*ret_sequence, name);
	fd = openat(boot_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		kp_seg_read_hdr(fd, &hdr, &text, &why);
		close(fd);
	}
	*ret_realtime_ns = hdr.realtime_ns;
	free(text);
out:
	close(boot_fd);
	return r;
}

int kp_log_find_newest(int dir_fd, char name[256], uint64_t *ret_sequence)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -ENOENT;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sequence, realtime_ns = 0, newest_ns = 0;
	struct dirent *entry;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    newest_segment(dir_fd, entry->d_name, &sequence, &realtime_ns) < 0)
			continue;
		if (r < 0 || realtime_ns > newest_ns) {
			snprintf(name, 256, "%s", entry->d_name);
			*ret_sequence = sequence;
			newest_ns = realtime_ns;
			r = 0;
		}
	}
	closedir(dir);
	return r;
}

/* Length of a segment up to the end of its last block that is whole, payload and all. */
static int find_end(int fd, const struct kp_seg_hdr *hdr, uint64_t file_len, uint64_t *ret_len)
{
	struct kp_seg_scan scan;
	struct kp_seg_item item;
	void *payload = malloc(KP_STORED_MAX);
	int r, good;

	if (!payload)
		return -ENOMEM;
	kp_seg_scan_init(&scan, fd, hdr, file_len);
	*ret_len = scan.pos;
	while ((r = kp_seg_scan_next(&scan, &item)) > 0) {
		if (item.is_gap)
			continue;
		good = kp_seg_read_payload(fd, item.offset, &item.hdr, payload);
		if (good < 0 && good != -EBADMSG) {
			r = good;
			break;
		}
		if (good == 0)
			*ret_len = item.offset + item.len;
	}
	free(payload);
	return r;
}

static int recover_segment(int boot_fd, const char *name, struct kp_recovery *recovery)
{
	int fd = openat(boot_fd, name, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), r;
	uint64_t file_len, good_len = 0;
	struct kp_seg_hdr hdr;
	struct stat st;
	const char *why;
	char *text = NULL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		goto out;
	}
	file_len = (uint64_t)st.st_size;
	r = kp_seg_read_hdr(fd, &hdr, &text, &why);
	if (r == -EBADMSG) {
		r = 0;
		if (!kp_seg_is_hdr_torn(fd, file_len))
			goto out;
		if (unlinkat(boot_fd, name, 0) < 0)
			r = -errno;
	} else if (r >= 0) {
		r = find_end(fd, &hdr, file_len, &good_len);
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

	r = kp_log_find_newest(dir_fd, boot, &sequence);
	if (r == -ENOENT) {
		*ret_recovery = recovery;
		return 0;
	}
	if (r < 0)
		return kp_err_sys(err, r, "cannot list the log's directory");
	kp_seg_name(sequence, name);
	snprintf(recovery.name, sizeof(recovery.name), "%s/%s", boot, name);
	boot_fd = openat(dir_fd, boot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = boot_fd < 0 ? -errno : recover_segment(boot_fd, name, &recovery);
	if (boot_fd >= 0)
		close(boot_fd);
	if (r < 0)
		return kp_err_sys(err, r, "cannot recover the segment %s", recovery.name);
	*ret_recovery = recovery;
	return 0;
}
