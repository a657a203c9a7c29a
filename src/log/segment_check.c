/* SPDX-License-Identifier: MIT
 *
 * Checking one segment; see segment_check.h. Every byte has somebody who vouches for it: the
 * header's checksum for the header, the header's hash for its text, a block's checksum for its
 * header and that one's hash for the payload, the seal's hash for the index, and the seal's
 * checksum for the seal; and no byte stands between them.
 */
#include "log/segment_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limit.h"
#include "event/kinds.h"

/* What the blocks' headers add up to, for which the seal stands. */
struct sum {
	uint64_t event_cnt;
	uint64_t first_ns, last_ns;
	struct kp_set kinds, tids;
};

static void add_block(struct sum *sum, const struct kp_block_hdr *hdr, bool is_first)
{
	if (is_first || hdr->first_ns < sum->first_ns)
		sum->first_ns = hdr->first_ns;
	if (is_first || hdr->last_ns > sum->last_ns)
		sum->last_ns = hdr->last_ns;
	sum->event_cnt += hdr->event_cnt;
	kp_set_join(&sum->kinds, &hdr->kinds);
	kp_set_join(&sum->tids, &hdr->tids);
}

static bool is_sum(const struct sum *sum, const struct kp_seg_seal *seal)
{
	return sum->event_cnt == seal->event_cnt && sum->first_ns == seal->first_ns &&
	       sum->last_ns == seal->last_ns &&
	       !memcmp(&sum->kinds, &seal->kinds, sizeof(sum->kinds)) &&
	       !memcmp(&sum->tids, &seal->tids, sizeof(sum->tids));
}

static int check_block(int fd, struct kp_seg_check *c, const struct kp_seg_item *item,
		       struct sum *sum)
{
	const struct kp_block_hdr *hdr = &item->head->hdr;
	int r = kp_seg_read_hashed(fd, item->offset + hdr->len, hdr->stored_len, &hdr->payload,
				   c->payload);

	add_block(sum, hdr, !c->block_cnt);
	c->block_cnt++;
	if (r == -EBADMSG || r == -EIO)
		return c->on_damage(c->arg, item->offset, item->len,
				    r == -EIO ? "the disk cannot read the block"
					      : "the block is damaged");
	return r < 0 || !c->on_block ? r : c->on_block(c->arg, item->head, c->payload);
}

static int check_blocks(int fd, struct kp_seg_check *c, struct kp_seg_scan *scan, struct sum *sum)
{
	struct kp_seg_item item;
	int r;

	while ((r = kp_seg_scan_next(scan, &item)) > 0) {
		r = item.is_gap ? c->on_damage(c->arg, item.offset, item.len, item.why)
				: check_block(fd, c, &item, sum);
		if (r < 0)
			break;
	}
	return r;
}

/* Whether what the seal says is what there is. */
static int check_seal(struct kp_seg_check *c, const struct kp_seg_scan *scan, uint64_t file_len,
		      const struct sum *sum, struct kp_seg_scan *index)
{
	const struct kp_seg_seal *seal = &scan->seal;
	const char *why = NULL;

	if (scan->next_sequence != seal->block_cnt ||
	    memcmp(&scan->prev, &seal->prev, sizeof(scan->prev)) != 0)
		why = "blocks are missing at the end of the segment";
	else if (!is_sum(sum, seal))
		why = "the segment's seal does not say what its blocks do";
	else if (seal->index_len && !kp_seg_scan_use_index(index, KP_MAX_INDEX))
		why = "the segment's index does not fit its blocks";
	return why ? c->on_damage(c->arg, scan->end, file_len - scan->end, why) : 0;
}

int kp_seg_check(int fd, uint64_t file_len, struct kp_seg_check *c)
{
	struct kp_seg_scan scan, index;
	struct kp_seg_start start;
	const char *why = NULL;
	struct sum sum = {0};
	char *text = NULL;
	int r = kp_seg_read_hdr(fd, &start, &text, &why);

	free(text);
	c->has_header = r >= 0;
	if (r == -EBADMSG)
		return c->on_damage(c->arg, 0, file_len, why);
	if (r < 0)
		return r;
	kp_seg_scan_init(&scan, fd, &start, file_len);
	index = scan;
	c->hdr = start.hdr;
	c->block_cnt = 0;
	r = check_blocks(fd, c, &scan, &sum);
	c->last = scan.prev;
	c->has_seal = scan.has_seal;
	c->seal = scan.seal;
	if (r >= 0 && scan.has_seal)
		r = check_seal(c, &scan, file_len, &sum, &index);
	kp_seg_scan_done(&scan);
	kp_seg_scan_done(&index);
	return r;
}
