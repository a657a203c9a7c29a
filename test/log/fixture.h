/* SPDX-License-Identifier: MIT
 * What the log's tests share: a folder of their own, logs written to it, logs read whole.
 */
#ifndef KP_TEST_LOG_FIXTURE_H
#define KP_TEST_LOG_FIXTURE_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/reader.h"
#include "log/segment.h"
#include "log/writer.h"
#include "synth.h"

static char fixture_dir[64];
static const uint64_t no_loss[KP_GROUP_CNT];

static inline void fixture_setup(void)
{
	strcpy(fixture_dir, "/tmp/kprobe-test-log-XXXXXX");
	cr_assert_not_null(mkdtemp(fixture_dir));
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_teardown(void)
{
	nftw(fixture_dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Path of the boot's only folder, or of its segment with this number, in a static buffer. */
static inline const char *fixture_path(uint64_t segment)
{
	static char path[512];
	char name[KP_SEG_NAME_MAX] = "";
	DIR *dir = opendir(fixture_dir);
	struct dirent *entry;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	cr_assert_not_null(entry);
	if (segment)
		kp_seg_name(segment, name);
	snprintf(path, sizeof(path), "%s/%s%s%s", fixture_dir, entry->d_name, segment ? "/" : "",
		 name);
	closedir(dir);
	return path;
}

static inline struct kp_log_writer *fixture_create(uint64_t segment_len)
{
	struct kp_log_options options = {
		.node = "node-1", .segment_len = segment_len, .codec = KP_CODEC_DELTA_ZSTD};
	struct kp_log_writer *writer = NULL;
	struct kp_err err = {""};

	cr_assert_eq(kp_log_create(fixture_dir, &options, &writer, &err), 0, "%s", err.text);
	return writer;
}

/*
 * Appends a block of cnt random events of all kinds to the stream, and to `all`. Times are unique
 * and grow by 10 from *time_ns.
 */
static inline void fixture_append(struct kp_log_writer *writer, uint32_t stream, int cnt,
				  uint64_t *time_ns, uint64_t *rnd, struct kp_buf *all)
{
	struct kp_buf events = {0};
	struct kp_err err = {""};

	while (cnt-- > 0)
		synth_event(&events, 1 + (unsigned)(synth_random(rnd) % (KP_EV_END - 1)),
			    *time_ns += 10, 20, rnd);
	cr_assert_eq(
		kp_log_append(writer, stream, events.data, (uint32_t)events.len, no_loss, &err), 0,
		"%s", err.text);
	if (all)
		kp_buf_append(all, events.data, events.len);
	kp_buf_done(&events);
}

static inline void fixture_close(struct kp_log_writer *writer)
{
	struct kp_err err = {""};

	cr_assert_eq(kp_log_close(writer, &err), 0, "%s", err.text);
}

static inline struct kp_log_reader *fixture_open(const char *path,
						 const struct kp_log_filter *filter)
{
	struct kp_log_reader *reader = NULL;
	struct kp_err err = {""};

	cr_assert_eq(kp_log_open(path, filter, &reader, &err), 0, "%s", err.text);
	return reader;
}

/* Appends all events that are left to out; returns their number. */
static inline size_t fixture_read(struct kp_log_reader *reader, struct kp_buf *out)
{
	const struct kp_hdr *event;
	struct kp_err err = {""};
	size_t cnt = 0;
	int r;

	while ((r = kp_log_next(reader, &event, &err)) > 0) {
		cr_assert_eq((uintptr_t)event % 8, 0);
		cr_assert_eq(kp_event_validate(event, event->size, &err), 0, "%s", err.text);
		if (out)
			kp_buf_append(out, event, event->size);
		cnt++;
	}
	cr_assert_eq(r, 0, "%s", err.text);
	return cnt;
}

/* Whether the events at `some` are, unchanged and in this order, among those of `all`. */
static inline bool fixture_is_subset(const struct kp_buf *some, const struct kp_buf *all)
{
	const struct kp_hdr *event, *other;
	size_t at = 0, found = 0;

	for (; at < some->len; at += event->size) {
		event = (const struct kp_hdr *)(some->data + at);
		for (;; found += other->size) {
			if (found >= all->len)
				return false;
			other = (const struct kp_hdr *)(all->data + found);
			if (other->time_ns == event->time_ns)
				break;
		}
		if (other->size != event->size || memcmp(event, other, event->size))
			return false;
	}
	return true;
}

#endif
