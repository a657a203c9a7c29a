/* SPDX-License-Identifier: MIT
 * Ranges of locked memory; see locks.h.
 */
#include "replay/locks.h"

#include <errno.h>
#include <string.h>

#define RANGE_MAX 4096

/* Index of the first range that ends behind address. */
static uint32_t find(const struct kp_locks *locks, uint64_t address)
{
	uint32_t low = 0, high = locks->ranges.cnt;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (locks->ranges.at[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Puts one range in place of those from index `from` to before `to`. */
static int replace(struct kp_locks *locks, uint32_t from, uint32_t to, const struct kp_locked *with,
		   uint32_t with_cnt)
{
	uint32_t cnt = locks->ranges.cnt - (to - from) + with_cnt;

	if (cnt > RANGE_MAX || kp_vec_reserve((void **)&locks->ranges.at, &locks->ranges.cap,
					      cnt + 1, sizeof(*locks->ranges.at)) < 0)
		return -ENOMEM;
	memmove(locks->ranges.at + from + with_cnt, locks->ranges.at + to,
		(locks->ranges.cnt - to) * sizeof(*locks->ranges.at));
	memcpy(locks->ranges.at + from, with, with_cnt * sizeof(*with));
	locks->ranges.cnt = cnt;
	return 0;
}

int kp_locks_remove(struct kp_locks *locks, uint64_t start, uint64_t end)
{
	uint32_t from = find(locks, start), to = from, cnt = 0;
	struct kp_locked left[2];

	while (to < locks->ranges.cnt && locks->ranges.at[to].start < end)
		to++;
	if (from == to)
		return 0;
	if (locks->ranges.at[from].start < start)
		left[cnt++] = (struct kp_locked){locks->ranges.at[from].start, start};
	if (locks->ranges.at[to - 1].end > end)
		left[cnt++] = (struct kp_locked){end, locks->ranges.at[to - 1].end};
	return replace(locks, from, to, left, cnt);
}

int kp_locks_add(struct kp_locks *locks, uint64_t start, uint64_t end)
{
	struct kp_locked range = {start, end};
	uint32_t at;
	int rc;

	if (start >= end)
		return 0;
	rc = kp_locks_remove(locks, start, end);
	if (rc < 0)
		return rc;
	at = find(locks, start);
	return replace(locks, at, at, &range, 1);
}

int kp_locks_map(struct kp_locks *locks, uint64_t start, uint64_t end, bool locked)
{
	if (locked || locks->future)
		return kp_locks_add(locks, start, end);
	return kp_locks_remove(locks, start, end);
}

uint64_t kp_locks_first(const struct kp_locks *locks, uint64_t start, uint64_t end)
{
	uint32_t at = find(locks, start);
	uint64_t first = at < locks->ranges.cnt ? locks->ranges.at[at].start : end;

	if (first > end)
		return end;
	return first > start ? first : start;
}

void kp_locks_done(struct kp_locks *locks)
{
	KP_VEC_DONE(&locks->ranges);
	locks->future = false;
}
