/* SPDX-License-Identifier: MIT
 * Who gets how much of the memory; see memory.h.
 */
#include "record/memory.h"

#include "bpf/shared.h"

#define MIB (1ull << 20)
/*
 * The process without its queue, as measured (threads, coders, what libbpf keeps; 26 MiB), the
 * programs and their maps but the rings (7 MiB and some for each CPU and task), and room for a
 * snapshot of a large node.
 */
#define OTHER (44 * MIB)
/* More than this in the queue only comes later to the disk. */
#define QUEUE_MAX (256 * MIB)

static uint64_t power_within(uint64_t len, uint64_t max)
{
	uint64_t n = max;

	while (n > len)
		n /= 2;
	return n;
}

struct kp_memory kp_memory_share(uint64_t total, bool select)
{
	struct kp_memory share = {0};
	uint64_t left;

	if (!total)
		total = select ? KP_MEMORY_DEFAULT_SELECT : KP_MEMORY_DEFAULT;
	left = total - OTHER;
	if (select) {
		share.bulk = power_within(left / 4, KP_BULK_RING_LEN);
		share.payloads = left / 4;
	}
	share.events = left / (select ? 8 : 2);
	share.queue = left - share.bulk - share.payloads - share.events;
	if (share.queue > QUEUE_MAX)
		share.queue = QUEUE_MAX;
	return share;
}
