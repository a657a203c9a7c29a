/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Spans of time that a task spends in one piece of kernel work. What is known at their begin waits
 * in a map until their end.
 */
#ifndef KP_BPF_SPAN_H
#define KP_BPF_SPAN_H

#include "bpf/emit.h"

enum kp_span_kind { KP_SPAN_SYNC, KP_SPAN_COMMIT, KP_SPAN_RECLAIM, KP_SPAN_COMPACTION };

struct kp_span_key {
	__u32 tid;
	__u32 kind;
};
struct kp_span {
	__u64 begin_ns;
	__u64 detail;
};
struct kp_span_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct kp_span_key);
	__type(value, struct kp_span);
};

/* Defined in spans.bpf.c. */
extern struct kp_span_map spans SEC(".maps");

static __always_inline int kp_span_begin(enum kp_span_kind kind, enum kp_group group, __u64 detail)
{
	struct kp_span_key key = {bpf_get_current_pid_tgid(), kind};
	struct kp_span span = {bpf_ktime_get_ns(), detail};

	if (!kp_is_self() && bpf_map_update_elem(&spans, &key, &span, BPF_ANY))
		kp_count_lost(KP_RING_EVENTS, group);
	return 0;
}

/* Takes the span out of the map; false: its begin was not seen. */
static __always_inline bool kp_span_end(enum kp_span_kind kind, struct kp_span *ret)
{
	struct kp_span_key key = {bpf_get_current_pid_tgid(), kind};
	struct kp_span *span = bpf_map_lookup_elem(&spans, &key);

	if (!span)
		return false;
	*ret = *span;
	bpf_map_delete_elem(&spans, &key);
	return true;
}

#endif
