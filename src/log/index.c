/* SPDX-License-Identifier: MIT
 *
 * Builds the index: first all segment headers, since whether a segment's end may be torn depends on
 * the segment behind it; then the block headers.
 */
#include "log/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/boots.h"
#include "log/folder.h"
#include "log/json.h"
#include "log/segment.h"

int kp_index_open_segment(struct kp_index *index, struct kp_index_segment *segment)
{
	int fd;

	if (segment->fd >= 0)
		return segment->fd;
	fd = kp_folder_open_file(index->dir_fd, segment->name, O_RDONLY);
	if (fd >= 0)
		segment->fd = fd;
	return fd;
}

void kp_index_close_segment(struct kp_index_segment *segment)
{
	if (segment->fd >= 0)
		close(segment->fd);
	segment->fd = -1;
}

int kp_index_add_gap(struct kp_index *index, const struct kp_index_segment *segment,
		     const struct kp_log_gap *gap)
{
	struct kp_log_gap *gaps = realloc(index->gaps, (index->gap_cnt + 1) * sizeof(*index->gaps));
	char *file = strdup(segment->path);

	if (gaps) {
		index->gaps = gaps;
		index->info.gaps = gaps;
	}
	if (!gaps || !file) {
		free(file);
		return -ENOMEM;
	}
	gaps[index->gap_cnt] = *gap;
	gaps[index->gap_cnt++].file = file;
	index->info.gap_cnt = index->gap_cnt;
	return 0;
}

int kp_index_mark_bad(struct kp_index *index, uint32_t number, const char *why)
{
	struct kp_index_block *block = &index->blocks[number];
	const struct kp_index_segment *segment = &index->segments[block->segment];
	struct kp_log_gap gap = {
		.offset = block->offset,
		.len = block->hdr_len + (uint64_t)block->stored_len,
		.from_ns = block->first_ns,
		.to_ns = block->last_ns,
		.torn = segment->is_run_end && segment->last_block == number &&
			block->offset + block->hdr_len + block->stored_len == segment->file_len,
		.why = why,
	};

	block->is_bad = true;
	return kp_index_add_gap(index, segment, &gap);
}

/* Until when its events may go: to the begin of the next one. */
static uint64_t end_of(const struct kp_index *index, uint32_t number)
{
	for (size_t i = number + 1; i < index->segment_cnt; i++)
		if (index->segments[i].schema)
			return index->segments[i].start.hdr.time_ns;
	return 0;
}

int kp_index_mark_gone(struct kp_index *index, uint32_t number)
{
	struct kp_index_segment *segment = &index->segments[number];
	struct kp_log_gap gap = {
		.len = segment->file_len,
		.from_ns = segment->start.hdr.time_ns,
		.to_ns = end_of(index, number),
		.gone = true,
		.why = "the segment was removed while the log was read, as retention does",
	};

	if (segment->is_gone)
		return 0;
	segment->is_gone = true;
	return kp_index_add_gap(index, segment, &gap);
}

static int add_segment(struct kp_index *index, char *path, uint64_t number)
{
	struct kp_index_segment *segments;

	if (!path)
		return -ENOMEM;
	segments = realloc(index->segments, (index->segment_cnt + 1) * sizeof(*segments));
	if (!segments) {
		free(path);
		return -ENOMEM;
	}
	index->segments = segments;
	segments[index->segment_cnt++] = (struct kp_index_segment){
		.path = path,
		.name = index->is_single ? path : strrchr(path, '/') + 1,
		.fd = -1,
		.number = number,
		.previous_blocks = -1,
		.last_block = KP_INDEX_NONE,
	};
	return 0;
}

static int compare_segments(const void *a, const void *b)
{
	const struct kp_index_segment *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The segments of the boot's folder index->dir. */
static int list_segments(struct kp_index *index)
{
	int fd = kp_folder_open(index->dir_fd, "."), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t number;
	char *path;

	if (!dir) {
		r = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r >= 0 && (entry = readdir(dir))) {
		if (!kp_seg_parse_name(entry->d_name, &number))
			continue;
		if (asprintf(&path, "%s/%s", index->dir, entry->d_name) < 0)
			path = NULL;
		r = add_segment(index, path, number);
	}
	closedir(dir);
	if (index->segment_cnt)
		qsort(index->segments, index->segment_cnt, sizeof(*index->segments),
		      compare_segments);
	return r;
}

/* One segment, named by the caller: a link to it is the caller's own word. */
static int take_single(struct kp_index *index, const char *path)
{
	char *real = realpath(path, NULL), *copy = strdup(path);

	index->is_single = true;
	index->dir = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	if (!real || !index->dir) {
		free(real);
		return real ? -ENOMEM : -errno;
	}
	return add_segment(index, real, 0);
}

/* The folder fd, which path names: a boot's, or a log's, of which the newest boot is taken. Of
 * links only those in path itself are followed. */
static int take_folder(struct kp_index *index, const char *path, int fd)
{
	uint64_t last = 0, number;
	char boot[256];
	int r = kp_seg_find_last(fd, &last);

	if (r >= 0 && last) {
		index->dir = strdup(path);
		index->dir_fd = kp_folder_open(fd, ".");
	} else if (r >= 0) {
		r = kp_log_find_newest(fd, boot, &last, &number);
		if (r < 0)
			return r;
		index->dir_fd = kp_folder_open(fd, boot);
		if (asprintf(&index->dir, "%s/%s", path, boot) < 0)
			index->dir = NULL;
	}
	if (r < 0)
		return r;
	if (index->dir_fd < 0)
		return index->dir_fd;
	return index->dir ? list_segments(index) : -ENOMEM;
}

/* Resolves path: a log's directory, a boot's folder, or a segment. */
static int find_segments(struct kp_index *index, const char *path)
{
	struct stat st;
	int fd, r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return take_single(index, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = take_folder(index, path, fd);
	close(fd);
	return r;
}

static char *copy_string(const cJSON *root, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));

	return strdup(text ? text : "");
}

/* What the log as a whole is, by its first readable segment. */
static int read_identity(struct kp_index *index, const struct kp_index_segment *segment,
			 const cJSON *root)
{
	const cJSON *options = cJSON_GetObjectItemCaseSensitive(root, "options");

	index->machine_id = copy_string(root, "machine_id");
	index->node = copy_string(root, "node");
	index->boot_id = copy_string(root, "boot_id");
	index->options_json = options ? cJSON_PrintUnformatted(options) : strdup("{}");
	index->info.start_realtime_ns = segment->start.hdr.realtime_ns;
	index->info.start_time_ns = segment->start.hdr.time_ns;
	return index->machine_id && index->node && index->boot_id && index->options_json ? 0
											 : -ENOMEM;
}

/* What the header's text says beside the schema. */
static int read_text(struct kp_index *index, struct kp_index_segment *segment, const char *text)
{
	cJSON *root = NULL;
	int r = kp_log_json_read(text, strlen(text), &root);
	const cJSON *previous = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(root, "previous"), "blocks");
	const char *run = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "run"));

	snprintf(segment->run, sizeof(segment->run), "%s", run ? run : "");
	segment->is_masked = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(root, "options"), "mask"));
	if (cJSON_IsNumber(previous) && previous->valuedouble >= 0 &&
	    previous->valuedouble < 4294967296.0)
		segment->previous_blocks = (int64_t)previous->valuedouble;
	if (r >= 0 && !index->node)
		r = read_identity(index, segment, root);
	cJSON_Delete(root);
	return r;
}

/* Reads the header of a segment; one that is damaged becomes a gap, one that is gone nothing. */
static int read_header(struct kp_index *index, struct kp_index_segment *segment,
		       struct kp_schema *before, bool is_newest)
{
	int fd = kp_index_open_segment(index, segment), r;
	struct kp_log_gap gap = {0};
	char *text = NULL;
	struct stat st;

	if (fd == -ENOENT)
		return 0; /* retention took it */
	if (fd == -ENXIO) {
		gap.why = "it is no regular file, and was not opened";
		return kp_index_add_gap(index, segment, &gap);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	segment->file_len = (uint64_t)st.st_size;
	segment->disk_len = (uint64_t)st.st_blocks * 512;
	/* Some file systems don't say. */
	if (!segment->disk_len || segment->disk_len > segment->file_len)
		segment->disk_len = segment->file_len;
	r = kp_seg_read_hdr(fd, &segment->start, &text, &gap.why);
	if (r >= 0) {
		r = kp_schema_parse(text, segment->start.hdr.text_len, &segment->schema, NULL);
		gap.why = "the header's text holds no usable schema";
	}
	if (r >= 0)
		segment->schema = kp_schema_share(before, segment->schema);
	if (r >= 0)
		r = read_text(index, segment, text);
	if (r == -EBADMSG) {
		gap.len = segment->file_len;
		gap.torn = is_newest && kp_seg_is_hdr_torn(fd, segment->file_len);
		r = kp_index_add_gap(index, segment, &gap);
	}
	free(text);
	kp_index_close_segment(segment);
	return r;
}

/* A segment of a run: a new one begins where the id changes. */
static void count_run(struct kp_index *index, const struct kp_index_segment *segment)
{
	struct kp_log_run *run = &index->runs[index->info.run_cnt];

	if (index->info.run_cnt && !strcmp(run[-1].id, segment->run)) {
		run[-1].is_masked |= segment->is_masked;
		return;
	}
	run->is_masked = segment->is_masked;
	memcpy(run->id, segment->run, sizeof(run->id));
	run->start_ns = segment->start.hdr.time_ns;
	run->start_realtime_ns = segment->start.hdr.realtime_ns;
	index->info.run_cnt++;
}

static int read_headers(struct kp_index *index)
{
	struct kp_index_segment *s, *next;
	int r = 0;

	for (size_t i = 0; i < index->segment_cnt && r >= 0; i++) {
		s = &index->segments[i];
		r = read_header(index, s, i ? s[-1].schema : NULL, i + 1 == index->segment_cnt);
	}
	if (r < 0)
		return r;
	index->runs = calloc(index->segment_cnt + 1, sizeof(*index->runs));
	if (!index->runs)
		return -ENOMEM;
	index->info.runs = index->runs;
	for (size_t i = 0; i < index->segment_cnt; i++) {
		s = &index->segments[i];
		if (s->schema)
			count_run(index, s);
		next = i + 1 < index->segment_cnt ? s + 1 : NULL;
		s->is_run_end = !next || !next->schema || strcmp(s->run, next->run);
		index->info.segment_cnt += s->schema != NULL;
		index->info.len += s->schema ? s->file_len : 0;
		index->info.disk_len += s->schema ? s->disk_len : 0;
	}
	if (!index->is_single)
		index->info.absent_cnt = s->number - index->segment_cnt;
	return index->info.segment_cnt ? 0 : -EBADMSG;
}

/* All headers of segments, or those of blocks too. */
static int build(struct kp_index *index, const char *path, bool with_blocks)
{
	int r = find_segments(index, path);

	if (r >= 0 && !index->segment_cnt)
		r = -ENOENT;
	if (r >= 0)
		r = read_headers(index);
	for (uint32_t i = 0; r >= 0 && with_blocks && i < index->segment_cnt; i++)
		r = kp_index_scan(index, i);
	return r;
}

static int open_index(const char *path, bool with_blocks, const struct kp_log_filter *filter,
		      struct kp_index **ret_index, struct kp_err *err)
{
	struct kp_index *index = calloc(1, sizeof(*index));
	int r = -ENOMEM;

	if (index) {
		index->dir_fd = AT_FDCWD;
		kp_index_set_end(index, KP_LOG_UNKNOWN, "unknown");
		index->filter = filter;
		r = build(index, path, with_blocks);
	}
	if (r == -ENOENT)
		kp_err_set(err, r, "there is no log at %s; kprobe record -o %s writes one", path,
			   path);
	else if (r == -EBADMSG)
		kp_err_set(err, r, "%s: %s", path,
			   index->gap_cnt ? index->gaps[index->gap_cnt - 1].why
					  : "more streams than a machine can have");
	else if (r < 0)
		kp_err_sys(err, r, "cannot read the log %s", path);
	if (r < 0) {
		kp_index_free(index);
		return r;
	}
	index->info.dir = index->dir;
	index->info.machine_id = index->machine_id;
	index->info.node = index->node;
	index->info.boot_id = index->boot_id;
	index->info.options_json = index->options_json;
	*ret_index = index;
	return 0;
}

int kp_index_open(const char *path, const struct kp_log_filter *filter, struct kp_index **ret_index,
		  struct kp_err *err)
{
	return open_index(path, true, filter, ret_index, err);
}

int kp_index_open_headers(const char *path, struct kp_index **ret_index, struct kp_err *err)
{
	return open_index(path, false, NULL, ret_index, err);
}

int kp_log_read_runs(const char *path, struct kp_log_run **ret_runs, size_t *ret_cnt,
		     struct kp_err *err)
{
	struct kp_index *index;
	int r = kp_index_open_headers(path, &index, err);

	if (r < 0)
		return r;
	*ret_runs = index->runs;
	*ret_cnt = index->info.run_cnt;
	index->runs = NULL;
	kp_index_free(index);
	return 0;
}

void kp_index_free(struct kp_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->segment_cnt; i++) {
		kp_index_close_segment(&index->segments[i]);
		kp_schema_free(index->segments[i].schema);
		free(index->segments[i].path);
	}
	for (size_t i = 0; i < index->gap_cnt; i++)
		free(index->gaps[i].file);
	kp_map_done(&index->stream_map);
	free(index->segments);
	free(index->blocks);
	free(index->streams);
	free(index->runs);
	free(index->gaps);
	kp_index_free_unknown(index);
	if (index->dir_fd >= 0)
		close(index->dir_fd);
	free(index->dir);
	free(index->machine_id);
	free(index->node);
	free(index->boot_id);
	free(index->options_json);
	free(index);
}
