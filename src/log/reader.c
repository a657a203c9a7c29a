/* SPDX-License-Identifier: MIT
 *
 * The reader: a merge of the index's streams by a heap. A stream's key is the largest time that it
 * has shown so far, so that its own order is never changed. A stream whose next block is not
 * decoded yet stands in the heap with the least key that the block can give; it is decoded only
 * when it comes to the top. So at most one block of each stream is in memory.
 */
#include "log/reader.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"
#include "log/codec.h"
#include "log/index.h"
#include "log/segment.h"

struct stream {
	uint32_t block;       /* the current block, KP_INDEX_NONE at the end */
	bool is_loaded;       /* it is decoded, and the event at pos is the stream's next */
	struct kp_buf events; /* the decoded block */
	size_t pos;
	uint64_t key;
	uint64_t max_ns;         /* largest time up to pos, or before the block */
	uint64_t from_ns, to_ns; /* of what is wanted of it */
};

struct kp_log_reader {
	struct kp_index *index;
	struct kp_log_filter filter;
	struct kp_decoder *decoder;
	void *stored;
	struct stream *streams; /* as index->streams */
	uint32_t *heap;         /* numbers of streams, the least key first */
	size_t heap_cnt;
	bool has_delivered; /* the top's event is with the caller */
};

static bool is_before(const struct kp_log_reader *rd, uint32_t a, uint32_t b)
{
	uint64_t x = rd->streams[a].key, y = rd->streams[b].key;

	return x < y || (x == y && rd->index->streams[a].id < rd->index->streams[b].id);
}

static void sift_down(struct kp_log_reader *rd, size_t i)
{
	uint32_t moved = rd->heap[i];
	size_t child;

	for (; (child = 2 * i + 1) < rd->heap_cnt; i = child) {
		if (child + 1 < rd->heap_cnt && is_before(rd, rd->heap[child + 1], rd->heap[child]))
			child++;
		if (!is_before(rd, rd->heap[child], moved))
			break;
		rd->heap[i] = rd->heap[child];
	}
	rd->heap[i] = moved;
}

/* Closes a segment's file with its last block. */
static void drop_block(struct kp_log_reader *rd, const struct kp_index_block *block)
{
	struct kp_index_segment *segment = &rd->index->segments[block->segment];

	if (--segment->unread_cnt == 0 && segment->fd >= 0) {
		close(segment->fd);
		segment->fd = -1;
	}
}

static bool is_wanted_block(const struct kp_log_filter *f, const struct stream *s,
			    const struct kp_index_block *block)
{
	return !block->is_bad && block->last_ns >= s->from_ns && block->first_ns <= s->to_ns &&
	       (kp_set_is_empty(&f->kinds) || kp_set_meets(&f->kinds, &block->kinds));
}

/* Makes `number`, or the first wanted block behind it, the stream's current one. */
static void enter_block(struct kp_log_reader *rd, struct stream *s, uint32_t number)
{
	const struct kp_index_block *block;

	s->is_loaded = false;
	for (; number != KP_INDEX_NONE; number = block->next) {
		block = &rd->index->blocks[number];
		if (is_wanted_block(&rd->filter, s, block)) {
			s->key = kp_max64(s->max_ns, block->first_ns);
			break;
		}
		s->max_ns = kp_max64(s->max_ns, block->last_ns);
		drop_block(rd, block);
	}
	s->block = number;
	if (number == KP_INDEX_NONE)
		kp_buf_done(&s->events);
}

static void leave_block(struct kp_log_reader *rd, struct stream *s)
{
	const struct kp_index_block *block = &rd->index->blocks[s->block];

	s->max_ns = kp_max64(s->max_ns, block->last_ns);
	drop_block(rd, block);
	enter_block(rd, s, block->next);
}

static bool is_wanted(const struct kp_log_filter *f, const struct stream *s,
		      const struct kp_hdr *event)
{
	return event->time_ns >= s->from_ns && event->time_ns <= s->to_ns &&
	       (kp_set_is_empty(&f->kinds) || kp_set_has(&f->kinds, event->kind));
}

/* Moves from s->pos to the first wanted event, or behind the block. */
static void find_wanted(struct kp_log_reader *rd, struct stream *s)
{
	const struct kp_hdr *event;

	for (; s->pos < s->events.len; s->pos += event->size) {
		event = (const struct kp_hdr *)(s->events.data + s->pos);
		s->max_ns = kp_max64(s->max_ns, event->time_ns);
		if (is_wanted(&rd->filter, s, event)) {
			s->key = s->max_ns;
			return;
		}
	}
	leave_block(rd, s);
}

static int read_block(struct kp_log_reader *rd, const struct kp_index_block *block,
		      struct kp_buf *out, const char **ret_why)
{
	struct kp_index_segment *segment = &rd->index->segments[block->segment];
	uint32_t unknown[KP_LOG_KINDS] = {0};
	struct kp_decode decode = {
		.codec = block->codec,
		.raw_len = block->raw_len,
		.event_cnt = block->event_cnt,
		.first_ns = block->first_ns,
		.last_ns = block->last_ns,
		.kinds = block->log_kinds,
		.unknown = unknown,
	};
	int fd = kp_index_open_segment(rd->index, segment), r;

	*ret_why = "the segment is no regular file any more, and was not opened";
	if (fd < 0)
		return fd == -ENXIO ? -EBADMSG : fd;
	*ret_why = "the block is damaged";
	r = kp_seg_read_hashed(fd, block->offset, block->hdr_len, &block->head, rd->stored);
	if (r >= 0)
		r = kp_seg_read_hashed(fd, block->offset + block->hdr_len, block->stored_len,
				       &block->payload, rd->stored);
	if (r == -EIO) {
		*ret_why = "the disk cannot read it";
		return -EBADMSG;
	}
	if (r < 0)
		return r;
	*ret_why = "the block's payload does not decode";
	r = kp_decode(rd->decoder, segment->schema, &decode, rd->stored, block->stored_len, out,
		      NULL);
	if (r >= 0 && decode.unknown_cnt)
		r = kp_index_count_unknown(rd->index, segment, unknown);
	return r;
}

/* Decodes the stream's current block and finds its first event, or goes on to the next block. */
static int load_block(struct kp_log_reader *rd, struct stream *s, struct kp_err *err)
{
	const struct kp_index_block *block = &rd->index->blocks[s->block];
	const char *why;
	int r = read_block(rd, block, &s->events, &why);

	if (r == -EBADMSG || r == -ENOENT) {
		r = r == -ENOENT ? kp_index_mark_gone(rd->index, block->segment)
				 : kp_index_mark_bad(rd->index, s->block, why);
		leave_block(rd, s);
	} else if (r >= 0) {
		s->is_loaded = true;
		s->pos = 0;
		find_wanted(rd, s);
	}
	if (r < 0)
		return kp_err_sys(err, r, "cannot read %s",
				  rd->index->segments[block->segment].path);
	return 0;
}

int kp_log_next(struct kp_log_reader *rd, const struct kp_hdr **ret_event, struct kp_err *err)
{
	struct stream *s;
	int r;

	if (rd->has_delivered) {
		rd->has_delivered = false;
		s = &rd->streams[rd->heap[0]];
		s->pos += ((const struct kp_hdr *)(s->events.data + s->pos))->size;
		find_wanted(rd, s);
	}
	while (rd->heap_cnt) {
		s = &rd->streams[rd->heap[0]];
		if (s->block == KP_INDEX_NONE)
			rd->heap[0] = rd->heap[--rd->heap_cnt];
		sift_down(rd, 0);
		if (!rd->heap_cnt)
			break;
		s = &rd->streams[rd->heap[0]];
		if (s->block == KP_INDEX_NONE)
			continue;
		if (s->is_loaded) {
			*ret_event = (const struct kp_hdr *)(s->events.data + s->pos);
			rd->has_delivered = true;
			return 1;
		}
		r = load_block(rd, s, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t kind_of_stream(uint32_t id)
{
	if (id == KP_CPU_USER)
		return KP_LOG_OWN;
	if (id == KP_STREAM_SNAPSHOT)
		return KP_LOG_SNAPSHOT;
	if (KP_STREAM_IS(id, KP_STREAM_SELECTED))
		return KP_LOG_SELECTED;
	return KP_STREAM_IS(id, KP_STREAM_LIFE) ? KP_LOG_LIFE : KP_LOG_NODE;
}

/* Whether it is of what tasks did. */
static bool is_of_tasks(const struct kp_log_reader *rd, uint32_t i)
{
	return kind_of_stream(rd->index->streams[i].id) & (KP_LOG_NODE | KP_LOG_SELECTED);
}

static void bound(struct kp_log_reader *rd, uint32_t i)
{
	const struct kp_log_filter *f = &rd->filter;
	struct stream *s = &rd->streams[i];

	s->from_ns = f->from_ns;
	s->to_ns = f->to_ns ? f->to_ns : UINT64_MAX;
	if (!is_of_tasks(rd, i))
		return;
	s->from_ns = kp_max64(s->from_ns, f->tasks_from_ns);
	if (f->tasks_to_ns)
		s->to_ns = kp_min64(s->to_ns, f->tasks_to_ns);
}

static bool is_wanted_stream(const struct kp_log_reader *rd, uint32_t i)
{
	return !rd->filter.streams || rd->filter.streams & kind_of_stream(rd->index->streams[i].id);
}

/* Counts each segment's blocks that will be read, so that it is known when its file can go. */
static void count_unread(struct kp_log_reader *rd)
{
	struct kp_index *index = rd->index;

	for (size_t i = 0; i < index->segment_cnt; i++)
		index->segments[i].unread_cnt = 0;
	for (uint32_t i = 0; i < index->stream_cnt; i++)
		if (is_wanted_stream(rd, i))
			for (uint32_t b = index->streams[i].first_block; b != KP_INDEX_NONE;
			     b = index->blocks[b].next)
				index->segments[index->blocks[b].segment].unread_cnt++;
}

static void rewind_streams(struct kp_log_reader *rd)
{
	struct kp_index *index = rd->index;
	struct stream *s;

	count_unread(rd);
	kp_index_forget_unknown(index);
	rd->has_delivered = false;
	rd->heap_cnt = 0;
	for (uint32_t i = 0; i < index->stream_cnt; i++) {
		if (!is_wanted_stream(rd, i))
			continue;
		s = &rd->streams[i];
		s->max_ns = 0;
		bound(rd, i);
		enter_block(rd, s, index->streams[i].first_block);
		if (s->block != KP_INDEX_NONE)
			rd->heap[rd->heap_cnt++] = i;
	}
	for (size_t i = rd->heap_cnt / 2; i-- > 0;)
		sift_down(rd, i);
}

int kp_log_rewind(struct kp_log_reader *rd, struct kp_err *err)
{
	(void)err; /* nothing is read before the next event is wanted */
	rewind_streams(rd);
	return 0;
}

static int open_index(struct kp_log_reader *rd, const char *path, struct kp_err *err)
{
	int r = kp_index_open(path, &rd->filter, &rd->index, err);

	if (r < 0)
		return r;
	assert(rd->index);
	rd->streams = calloc(rd->index->stream_cnt + 1, sizeof(*rd->streams));
	rd->heap = calloc(rd->index->stream_cnt + 1, sizeof(*rd->heap));
	if (!rd->streams || !rd->heap)
		return kp_err_set(err, -ENOMEM, "out of memory");
	rewind_streams(rd);
	return 0;
}

int kp_log_open(const char *path, const struct kp_log_filter *filter,
		struct kp_log_reader **ret_reader, struct kp_err *err)
{
	struct kp_log_reader *rd = calloc(1, sizeof(*rd));
	int r = -ENOMEM;

	if (!rd)
		return kp_err_set(err, r, "out of memory");
	if (filter)
		rd->filter = *filter;
	rd->stored = malloc(KP_STORED_MAX);
	r = rd->stored ? kp_decoder_new(&rd->decoder, err)
		       : kp_err_set(err, -ENOMEM, "out of memory");
	if (r >= 0)
		r = open_index(rd, path, err);
	if (r < 0) {
		kp_log_reader_free(rd);
		return r;
	}
	*ret_reader = rd;
	return 0;
}

void kp_log_print_gap(const struct kp_log_gap *gap, struct kp_buf *out)
{
	if (gap->no_end)
		kp_buf_printf(out, "%s: %s", gap->file, gap->why);
	else
		kp_buf_printf(out, "%s: offset %" PRIu64 ", %" PRIu64 " bytes: %s%s", gap->file,
			      gap->offset, gap->len, gap->why,
			      gap->torn ? " (an interrupted write)" : "");
}

uint64_t kp_log_snapshot_from(const struct kp_log_reader *rd, uint64_t time_ns)
{
	uint64_t last = 0, before = 0;

	for (size_t i = 0; i < rd->index->segment_cnt; i++) {
		const struct kp_index_segment *s = &rd->index->segments[i];

		if (!s->schema || s->start.hdr.time_ns > time_ns)
			continue;
		before = last;
		last = s->start.hdr.time_ns;
	}
	return before;
}

uint64_t kp_log_count(const struct kp_log_reader *rd, uint64_t from_ns, uint64_t to_ns)
{
	const struct kp_index *index = rd->index;
	const struct kp_index_block *block;
	uint64_t cnt = 0;

	for (uint32_t i = 0; i < index->stream_cnt; i++) {
		if (!is_of_tasks(rd, i))
			continue;
		for (uint32_t b = index->streams[i].first_block; b != KP_INDEX_NONE;
		     b = block->next) {
			block = &index->blocks[b];
			if (block->last_ns >= from_ns && block->first_ns <= to_ns)
				cnt += block->event_cnt;
		}
	}
	return cnt;
}

const struct kp_log_info *kp_log_get_info(struct kp_log_reader *rd)
{
	return &rd->index->info;
}

void kp_log_reader_free(struct kp_log_reader *rd)
{
	if (!rd)
		return;
	for (size_t i = 0; rd->streams && i < rd->index->stream_cnt; i++)
		kp_buf_done(&rd->streams[i].events);
	kp_index_free(rd->index);
	free(rd->streams);
	free(rd->heap);
	kp_decoder_free(rd->decoder);
	free(rd->stored);
	free(rd);
}
