/* SPDX-License-Identifier: MIT
 * From the headers of a segment's blocks to the index: what each has, what is lost, what is
 * missing; see index.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limit.h"
#include "event/kinds.h"
#include "log/index.h"

/* The stream of a block, made when it is new; NULL: out of memory or out of bounds. */
static struct kp_index_stream *get_stream(struct kp_index *index, uint32_t id, uint32_t segment)
{
	uint64_t *place = kp_map_upsert(&index->stream_map, id, index->stream_cnt);
	struct kp_index_stream *streams;

	if (!place)
		return NULL;
	if (*place < index->stream_cnt)
		return &index->streams[*place];
	streams = realloc(index->streams, (index->stream_cnt + 1) * sizeof(*streams));
	if (!streams)
		return NULL;
	index->streams = streams;
	streams[index->stream_cnt] = (struct kp_index_stream){
		.id = id,
		.first_block = KP_INDEX_NONE,
		.last_block = KP_INDEX_NONE,
		.segment = segment,
	};
	return &streams[index->stream_cnt++];
}

/* Adds to the name's count; what has no room goes to "others". 0 or -ENOMEM. */
static int add_unknown(struct kp_log_unknown **list, size_t *cnt, const char *name, uint64_t more)
{
	struct kp_log_unknown *grown;
	size_t i = 0;

	while (i < *cnt && strcmp((*list)[i].name, name))
		i++;
	if (i == *cnt && i >= KP_LOG_UNKNOWN_MAX - 1) {
		i = KP_LOG_UNKNOWN_MAX - 1;
		name = "others";
	}
	if (i == *cnt) {
		grown = realloc(*list, (*cnt + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*list = grown;
		grown[i] = (struct kp_log_unknown){.name = strdup(name)};
		if (!grown[i].name)
			return -ENOMEM;
		++*cnt;
	}
	(*list)[i].cnt += more;
	return 0;
}

static void free_unknown(struct kp_log_unknown *list, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		free(list[i].name);
	free(list);
}

void kp_index_free_unknown(struct kp_index *index)
{
	free_unknown(index->unknown_kinds, index->info.unknown_kind_cnt);
	free_unknown(index->unknown_lost, index->info.unknown_lost_cnt);
}

int kp_index_count_unknown(struct kp_index *index, const struct kp_index_segment *segment,
			   const uint32_t cnt[KP_LOG_KINDS])
{
	int r = 0;

	for (unsigned i = 0; i < KP_LOG_KINDS && r >= 0; i++) {
		if (!cnt[i])
			continue;
		index->info.unknown_cnt += cnt[i];
		r = add_unknown(&index->unknown_kinds, &index->info.unknown_kind_cnt,
				kp_schema_kind_name(segment->schema, i), cnt[i]);
	}
	index->info.unknown_kinds = index->unknown_kinds;
	return r;
}

void kp_index_forget_unknown(struct kp_index *index)
{
	free_unknown(index->unknown_kinds, index->info.unknown_kind_cnt);
	index->unknown_kinds = NULL;
	index->info.unknown_kinds = NULL;
	index->info.unknown_kind_cnt = 0;
	index->info.unknown_cnt = 0;
}

static int add_lost(struct kp_index *index, const struct kp_schema *schema, unsigned group,
		    bool is_selected, uint64_t cnt)
{
	uint32_t own = kp_schema_group(schema, group);
	const char *name = kp_schema_group_name(schema, group);
	int r;

	if (own != KP_GROUP_UNKNOWN) {
		index->info.lost[own] += cnt;
		index->info.lost_selected[own] += is_selected ? cnt : 0;
		return 0;
	}
	r = add_unknown(&index->unknown_lost, &index->info.unknown_lost_cnt,
			name ? name : "without a name", cnt);
	index->info.unknown_lost = index->unknown_lost;
	return r;
}

/* Lost counts grow within a run and begin again with the next. */
static int count_lost(struct kp_index *index, struct kp_index_stream *stream, uint32_t segment,
		      const union kp_block_head *head)
{
	const struct kp_index_segment *s = &index->segments[segment];
	bool is_selected = KP_STREAM_IS(head->hdr.stream, KP_STREAM_SELECTED);
	int r = 0;

	if (strcmp(index->segments[stream->segment].run, s->run))
		memset(stream->lost, 0, sizeof(stream->lost));
	for (unsigned i = 0; i < head->hdr.lost_cnt && r >= 0; i++) {
		if (head->lost[i] <= stream->lost[i])
			continue;
		r = add_lost(index, s->schema, i, is_selected, head->lost[i] - stream->lost[i]);
		stream->lost[i] = head->lost[i];
	}
	stream->segment = segment;
	return r;
}

/* Kinds that this program has not must be read to be counted: then no kind is ruled out. */
static struct kp_set own_kinds(const struct kp_schema *schema, const struct kp_set *kinds)
{
	bool has_others;
	struct kp_set own = kp_schema_kinds(schema, kinds, &has_others);

	if (has_others)
		memset(&own, 0xff, sizeof(own));
	return own;
}

static void count_blocks(struct kp_log_info *info, uint64_t block_cnt, uint64_t event_cnt,
			 uint64_t first_ns, uint64_t last_ns)
{
	if (block_cnt && (!info->block_cnt || first_ns < info->first_ns))
		info->first_ns = first_ns;
	if (last_ns > info->last_ns)
		info->last_ns = last_ns;
	info->block_cnt += block_cnt;
	info->event_cnt += event_cnt;
}

/* hash: of its header. */
static int add_block(struct kp_index *index, uint32_t segment, const struct kp_seg_item *item,
		     const struct kp_hash *hash)
{
	const struct kp_block_hdr *hdr = &item->head->hdr;
	uint32_t number = (uint32_t)index->block_cnt;
	size_t cap = index->block_cap ? index->block_cap * 2 : 256;
	struct kp_index_stream *stream;
	struct kp_index_block *blocks;
	int r;

	if (index->stream_cnt == KP_MAX_STREAMS && !kp_map_get(&index->stream_map, hdr->stream))
		return -EBADMSG;
	stream = get_stream(index, hdr->stream, segment);
	if (index->block_cnt == index->block_cap && stream) {
		blocks = realloc(index->blocks, cap * sizeof(*blocks));
		if (!blocks)
			return -ENOMEM;
		index->blocks = blocks;
		index->block_cap = cap;
	}
	if (!stream || index->block_cnt == KP_INDEX_NONE)
		return -ENOMEM;
	index->blocks[index->block_cnt++] = (struct kp_index_block){
		.offset = item->offset,
		.first_ns = hdr->first_ns,
		.last_ns = hdr->last_ns,
		.segment = segment,
		.next = KP_INDEX_NONE,
		.event_cnt = hdr->event_cnt,
		.raw_len = hdr->raw_len,
		.stored_len = hdr->stored_len,
		.head = *hash,
		.payload = hdr->payload,
		.kinds = own_kinds(index->segments[segment].schema, &hdr->kinds),
		.log_kinds = hdr->kinds,
		.hdr_len = hdr->len,
		.codec = hdr->codec,
	};
	if (stream->last_block == KP_INDEX_NONE)
		stream->first_block = number;
	else
		index->blocks[stream->last_block].next = number;
	stream->last_block = number;
	index->segments[segment].last_block = number;
	r = count_lost(index, stream, segment, item->head);
	count_blocks(&index->info, 1, hdr->event_cnt, hdr->first_ns, hdr->last_ns);
	return r;
}

/* When the run behind this segment's began; 0: there is none. */
static uint64_t next_run_ns(const struct kp_index *index, const struct kp_index_segment *segment)
{
	const struct kp_index_segment *end = index->segments + index->segment_cnt;

	for (const struct kp_index_segment *s = segment + 1; s < end; s++)
		if (s->schema && strcmp(s->run, segment->run))
			return s->start.hdr.time_ns;
	return 0;
}

static int add_scan_gap(struct kp_index *index, const struct kp_index_segment *segment,
			const struct kp_seg_item *item, const struct kp_seg_scan *scan)
{
	struct kp_log_gap gap = {
		.offset = item->offset,
		.len = item->len,
		.torn = segment->is_run_end && !scan->has_pending,
		.why = item->why,
	};

	if (segment->last_block != KP_INDEX_NONE) {
		assert(index->blocks);
		gap.from_ns = index->blocks[segment->last_block].first_ns;
	}
	if (scan->has_pending)
		gap.to_ns = scan->head.hdr.last_ns;
	else
		gap.to_ns = next_run_ns(index, segment);
	return kp_index_add_gap(index, segment, &gap);
}

/* Whether the next segment of the same run says that what has been read is all of this one: then
 * what stands behind it is at most the index of a recorder that was killed while it wrote it. */
static bool is_all(const struct kp_index_segment *segment, const struct kp_seg_scan *scan)
{
	const struct kp_index_segment *next = segment + 1;

	return !segment->is_run_end && next->number == segment->number + 1 &&
	       next->previous_blocks == (int64_t)scan->next_sequence &&
	       !memcmp(&next->start.hdr.prev, &scan->prev, sizeof(scan->prev));
}

/* What only the next segment of the same run can tell: that this one's end, or one between, is
 * gone. */
static int check_successor(struct kp_index *index, const struct kp_index_segment *segment,
			   const struct kp_seg_scan *scan)
{
	const struct kp_index_segment *next = segment + 1;
	struct kp_log_gap gap = {.offset = scan->end};

	if (segment->last_block != KP_INDEX_NONE)
		gap.from_ns = index->blocks[segment->last_block].first_ns;
	if (next->number != segment->number + 1)
		gap.why = "the segments behind this one are missing";
	else if (scan->pos == scan->end &&
		 (next->previous_blocks > (int64_t)scan->next_sequence ||
		  (scan->has_seal && scan->seal.block_cnt != scan->next_sequence)))
		gap.why = "blocks are missing at its end";
	else if (scan->pos == scan->end &&
		 memcmp(&next->start.hdr.prev, &scan->prev, sizeof(scan->prev)))
		gap.why = "it is not the segment behind which the next one was begun";
	return gap.why ? kp_index_add_gap(index, segment, &gap) : 0;
}

void kp_index_set_end(struct kp_index *index, enum kp_log_end end, const char *text)
{
	index->info.end = end;
	index->info.end_text = text;
}

/* The last segment of a run: has it an end, and is nothing missing before it? */
static int check_end(struct kp_index *index, const struct kp_index_segment *segment,
		     const struct kp_seg_scan *scan, bool has_end_gap)
{
	struct kp_log_gap gap = {.offset = scan->end, .to_ns = next_run_ns(index, segment)};

	if (segment->last_block != KP_INDEX_NONE)
		gap.from_ns = index->blocks[segment->last_block].first_ns;
	if (scan->has_seal && scan->seal.reason != KP_END_FULL) {
		kp_index_set_end(index, KP_LOG_ENDED, kp_end_reason_name(scan->seal.reason));
		index->info.doubtful_cnt += scan->seal.doubtful_cnt;
		if (has_end_gap || (scan->next_sequence == scan->seal.block_cnt &&
				    !memcmp(&scan->prev, &scan->seal.prev, sizeof(scan->prev))))
			return 0;
		gap.why = "blocks are missing at its end";
		return kp_index_add_gap(index, segment, &gap);
	}
	if (index->is_single) {
		kp_index_set_end(index, KP_LOG_UNKNOWN,
				 "not looked at: one segment alone was opened");
		return 0;
	}
	if (!gap.to_ns && kp_seg_is_locked(segment->fd)) {
		kp_index_set_end(index, KP_LOG_OPEN, "none yet: it is still being recorded");
		return 0;
	}
	gap.why = "the recording has no end: its recorder was killed, or what it wrote last is "
		  "gone";
	gap.torn = gap.no_end = true;
	kp_index_set_end(index, KP_LOG_CUT,
			 "none: the recorder was killed, or what it wrote last is gone");
	return has_end_gap ? 0 : kp_index_add_gap(index, segment, &gap);
}

static bool is_wanted(const struct kp_log_filter *f, const struct kp_index_segment *segment,
		      const struct kp_seg_seal *seal)
{
	struct kp_set kinds;

	if (!f)
		return true;
	kinds = own_kinds(segment->schema, &seal->kinds);
	return seal->block_cnt && seal->last_ns >= f->from_ns &&
	       (!f->to_ns || seal->first_ns <= f->to_ns) &&
	       (kp_set_is_empty(&f->kinds) || kp_set_meets(&f->kinds, &kinds));
}

/* An index that does not fit its segment: nothing is missing, since the blocks are looked at. */
static int say_index(struct kp_index *index, const struct kp_index_segment *segment,
		     const struct kp_seg_scan *scan)
{
	struct kp_log_gap gap = {
		.offset = scan->end,
		.len = scan->seal.index_len,
		.from_ns = scan->seal.last_ns,
		.to_ns = scan->seal.last_ns,
		.why = "the segment's index does not fit its blocks, which were read instead",
	};

	return kp_index_add_gap(index, segment, &gap);
}

/* By the seal alone, by the index, or header by header. */
static int choose_way(struct kp_index *index, const struct kp_index_segment *segment,
		      struct kp_seg_scan *scan)
{
	if (!scan->has_seal)
		return 0;
	if (!is_wanted(index->filter, segment, &scan->seal)) {
		count_blocks(&index->info, scan->seal.block_cnt, scan->seal.event_cnt,
			     scan->seal.first_ns, scan->seal.last_ns);
		kp_seg_scan_skip(scan);
		return 0;
	}
	if (!scan->seal.index_len || kp_seg_scan_use_index(scan, segment->disk_len))
		return 0;
	return say_index(index, segment, scan);
}

static int scan_blocks(struct kp_index *index, uint32_t number, struct kp_seg_scan *scan,
		       bool *ret_has_end_gap)
{
	struct kp_index_segment *segment = &index->segments[number];
	struct kp_seg_item item;
	int r;

	*ret_has_end_gap = false;
	while ((r = kp_seg_scan_next(scan, &item)) > 0) {
		*ret_has_end_gap = item.is_gap && !scan->has_pending && !is_all(segment, scan);
		if (item.is_gap && !scan->has_pending && !*ret_has_end_gap)
			continue;
		r = item.is_gap ? add_scan_gap(index, segment, &item, scan)
				: add_block(index, number, &item, &scan->prev);
		if (r < 0)
			break;
	}
	return r;
}

int kp_index_scan(struct kp_index *index, uint32_t number)
{
	struct kp_index_segment *segment = &index->segments[number];
	struct kp_seg_scan scan;
	bool has_end_gap;
	int fd, r;

	if (!segment->schema)
		return 0;
	fd = kp_index_open_segment(index, segment);
	if (fd == -ENOENT)
		return kp_index_mark_gone(index, number);
	if (fd == -ENXIO)
		return 0;
	if (fd < 0)
		return fd;
	kp_seg_scan_init(&scan, fd, &segment->start, segment->file_len);
	r = choose_way(index, segment, &scan);
	if (r >= 0)
		r = scan_blocks(index, number, &scan, &has_end_gap);
	if (r >= 0 && segment->is_run_end)
		r = check_end(index, segment, &scan, has_end_gap);
	else if (r >= 0 && !has_end_gap)
		r = check_successor(index, segment, &scan);
	kp_seg_scan_done(&scan);
	kp_index_close_segment(segment);
	return r;
}
