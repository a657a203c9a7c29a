/* SPDX-License-Identifier: MIT
 * Blocks by size and quota; see pool.h.
 */
#include "record/pool.h"

#include <string.h>
#include <sys/mman.h>

#define BLOCK ((size_t)KP_BLOCK_RAW_MAX)

/* Beyond the quota of the events. */
static const size_t more[KP_POOL_CLASSES] = {
	[KP_POOL_LIFE] = 16 * BLOCK, [KP_POOL_OWN] = 20 * BLOCK};

void kp_pool_init(struct kp_pool *pool, size_t max_len)
{
	*pool = (struct kp_pool){.max_len = max_len};
}

size_t kp_pool_max(const struct kp_pool *pool)
{
	return pool->max_len + more[KP_POOL_OWN];
}

static bool may_have(const struct kp_pool *pool, enum kp_pool_class class, size_t len)
{
	return pool->used_len + len <= pool->max_len + more[class];
}

static unsigned index_of(uint32_t room)
{
	unsigned i = 0;

	while (KP_POOL_ROOM_MIN << 2 * i < room)
		i++;
	return i;
}

static void unmake(struct kp_pool *pool, struct kp_pipeline_block *block)
{
	pool->made_len -= block->room;
	munmap(block, sizeof(*block) + block->room);
}

/* Frees what is not used, of other sizes, until there is place for len more. */
static void make_place(struct kp_pool *pool, size_t len)
{
	struct kp_pipeline_block *block;

	for (int i = 0; i < KP_POOL_ROOMS; i++)
		while (pool->made_len + len > kp_pool_max(pool) && (block = pool->free_lists[i])) {
			pool->free_lists[i] = block->next;
			unmake(pool, block);
		}
}

/* Not by malloc, which would keep for ever what a full disk has made it give. */
static struct kp_pipeline_block *make(struct kp_pool *pool, uint32_t room)
{
	struct kp_pipeline_block *block;

	make_place(pool, room);
	block = mmap(NULL, sizeof(*block) + room, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	pool->made_len += room;
	return block;
}

static struct kp_pipeline_block *take_room(struct kp_pool *pool, enum kp_pool_class class,
					   uint32_t room)
{
	struct kp_pipeline_block **list = &pool->free_lists[index_of(room)], *block = *list;

	if (!may_have(pool, class, room))
		return NULL;
	if (block)
		*list = block->next;
	else
		block = make(pool, room);
	if (!block)
		return NULL;
	memset(block, 0, sizeof(*block));
	block->room = room;
	pool->used_len += room;
	pool->open_len += room;
	return block;
}

static uint32_t room_for(uint32_t len)
{
	return KP_POOL_ROOM_MIN << 2 * index_of(len);
}

/* Whether a block of this room may be open besides the others. */
static bool may_open(const struct kp_pool *pool, uint32_t room)
{
	return pool->open_len + room <= pool->max_len / 2;
}

struct kp_pipeline_block *kp_pool_take(struct kp_pool *pool, enum kp_pool_class class,
				       uint32_t need_len, uint32_t wish_len)
{
	struct kp_pipeline_block *block = NULL;
	uint32_t need = room_for(need_len), wish = room_for(wish_len);

	if (wish > need && may_open(pool, wish))
		block = take_room(pool, class, wish);
	return block ? block : take_room(pool, class, need);
}

struct kp_pipeline_block *kp_pool_grow(struct kp_pool *pool, enum kp_pool_class class,
				       struct kp_pipeline_block *block)
{
	uint32_t room = block->room * 4;
	struct kp_pipeline_block *larger;

	if (room > KP_BLOCK_RAW_MAX || !may_open(pool, room - block->room))
		return NULL;
	larger = take_room(pool, class, room);
	if (!larger)
		return NULL;
	memcpy(larger, block, sizeof(*block) + block->len);
	larger->room = room;
	kp_pool_close(pool, block);
	kp_pool_give(pool, block);
	return larger;
}

void kp_pool_close(struct kp_pool *pool, const struct kp_pipeline_block *block)
{
	pool->open_len -= block->room;
}

void kp_pool_give(struct kp_pool *pool, struct kp_pipeline_block *block)
{
	struct kp_pipeline_block **list = &pool->free_lists[index_of(block->room)];

	pool->used_len -= block->room;
	if (pool->made_len - pool->used_len > KP_POOL_KEPT_LEN) {
		unmake(pool, block);
		return;
	}
	block->next = *list;
	*list = block;
}

void kp_pool_done(struct kp_pool *pool)
{
	struct kp_pipeline_block *block;

	for (int i = 0; i < KP_POOL_ROOMS; i++)
		while ((block = pool->free_lists[i])) {
			pool->free_lists[i] = block->next;
			unmake(pool, block);
		}
}
