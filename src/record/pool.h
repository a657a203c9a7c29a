/* SPDX-License-Identifier: MIT
 *
 * The memory in which events wait to be written: blocks of a few sizes, with a quota for each class
 * of streams. A stream that is slow has a small block, which grows with it; and all blocks that are
 * being filled have no more than half of the quota, so that a machine with many CPUs has the other
 * half for the queue. Not thread-safe.
 */
#ifndef KP_RECORD_POOL_H
#define KP_RECORD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/codec.h"

struct kp_pipeline_stream;

struct kp_pipeline_block {
	struct kp_pipeline_block *next;
	struct kp_pipeline_stream *stream;
	uint64_t opened_ns;
	uint32_t len, room;
	uint32_t cnt[KP_GROUP_CNT];
	uint64_t lost[KP_GROUP_CNT]; /* of the stream when the block was sealed */
	_Alignas(8) unsigned char data[];
};

/* Sizes of a block's room: the smallest, each four times the one before. */
#define KP_POOL_ROOM_MIN (16u * 1024u)
#define KP_POOL_ROOMS 3
_Static_assert(KP_POOL_ROOM_MIN << 2 * (KP_POOL_ROOMS - 1) == KP_BLOCK_RAW_MAX, "the largest room");

/* Of what is not used so much is kept for what comes next; the rest the kernel has back. */
#define KP_POOL_KEPT_LEN (8u * KP_BLOCK_RAW_MAX)

/* Who may have how much: the later ones somewhat more than those before, from the same memory. */
enum kp_pool_class {
	KP_POOL_EVENTS,
	KP_POOL_LIFE, /* of processes, without which all else has no names: some 50,000 */
	KP_POOL_OWN,  /* what the recorder itself has to say of a full queue */
	KP_POOL_CLASSES
};

struct kp_pool {
	size_t max_len;  /* quota of the events */
	size_t used_len; /* rooms of the blocks that were taken */
	size_t open_len; /* of these, of those that are not queued */
	size_t made_len; /* of all there are */
	struct kp_pipeline_block *free_lists[KP_POOL_ROOMS];
};

/* max_len: quota of the events. All blocks together stay below kp_pool_max. */
void kp_pool_init(struct kp_pool *pool, size_t max_len);
size_t kp_pool_max(const struct kp_pool *pool);

/* An empty block with at least need_len bytes of room, at most KP_BLOCK_RAW_MAX, and with wish_len
 * if there is as much; NULL: the quota is used up, or memory. */
struct kp_pipeline_block *kp_pool_take(struct kp_pool *pool, enum kp_pool_class class,
				       uint32_t need_len, uint32_t wish_len);

/* The next larger block in place of an open one, with what it holds; NULL: that is as it was. */
struct kp_pipeline_block *kp_pool_grow(struct kp_pool *pool, enum kp_pool_class class,
				       struct kp_pipeline_block *block);

/* An open block is open no more. */
void kp_pool_close(struct kp_pool *pool, const struct kp_pipeline_block *block);

/* Gives back a block that is not open. */
void kp_pool_give(struct kp_pool *pool, struct kp_pipeline_block *block);

/* Frees those blocks that were given back and kept. */
void kp_pool_done(struct kp_pool *pool);

#endif
