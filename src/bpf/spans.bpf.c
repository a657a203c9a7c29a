// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Spans of time that a task spends in one piece of kernel work: file sync, journal commit, direct
 * reclaim. What is known at their begin waits in a map until their end.
 */
#include "bpf/emit.h"

enum span_kind { SPAN_SYNC, SPAN_COMMIT, SPAN_RECLAIM };

struct span_key {
	__u32 tid;
	__u32 kind;
};
struct span {
	__u64 begin_ns;
	__u64 detail;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct span_key);
	__type(value, struct span);
} spans SEC(".maps");

static __always_inline int begin(__u32 kind, __u64 detail)
{
	struct span_key key = {bpf_get_current_pid_tgid(), kind};
	struct span span = {bpf_ktime_get_ns(), detail};

	if (!kp_is_self() && bpf_map_update_elem(&spans, &key, &span, BPF_ANY))
		kp_count_lost(KP_RING_EVENTS,
			      kind == SPAN_RECLAIM ? KP_GROUP_memory : KP_GROUP_sync);
	return 0;
}

/* Takes the span out of the map; false: its begin was not seen. */
static __always_inline bool end(__u32 kind, struct span *ret)
{
	struct span_key key = {bpf_get_current_pid_tgid(), kind};
	struct span *span = bpf_map_lookup_elem(&spans, &key);

	if (!span)
		return false;
	*ret = *span;
	bpf_map_delete_elem(&spans, &key);
	return true;
}

SEC("tp_btf/ext4_sync_file_enter")
int KP_PROG(SILENT, kp_sync_enter, struct file *file, int datasync)
{
	return begin(SPAN_SYNC, datasync);
}

SEC("tp_btf/ext4_sync_file_exit")
int KP_PROG(sync, kp_sync_exit, struct inode *inode, int ret)
{
	struct kp_ev_file_sync *ev;
	struct span span;

	if (!end(SPAN_SYNC, &span))
		return 0;
	ev = KP_EVENT(file_sync, sync, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->entry_ns = span.begin_ns;
	ev->ino = inode->i_ino;
	ev->dev = inode->i_sb->s_dev;
	ev->ret = ret;
	ev->datasync = span.detail;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/jbd2_start_commit")
int KP_PROG(SILENT, kp_commit_begin)
{
	return begin(SPAN_COMMIT, 0);
}

SEC("tp_btf/jbd2_end_commit")
int KP_PROG(sync, kp_commit_end, struct journal_s *journal, struct transaction_s *transaction)
{
	struct kp_ev_journal_commit *ev;
	struct span span;

	if (!end(SPAN_COMMIT, &span))
		return 0;
	ev = KP_EVENT(journal_commit, sync, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->entry_ns = span.begin_ns;
	ev->dev = journal->j_fs_dev->bd_dev;
	ev->tid_no = transaction->t_tid;
	KP_COMMIT(ev);
	return 0;
}

static __always_inline int reclaim_end(__u64 nr_reclaimed, __u32 memcg)
{
	struct kp_ev_reclaim *ev;
	struct span span;

	if (!end(SPAN_RECLAIM, &span))
		return 0;
	ev = KP_EVENT(reclaim, memory, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->entry_ns = span.begin_ns;
	ev->nr_reclaimed = nr_reclaimed;
	ev->order = span.detail;
	ev->memcg = memcg;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int KP_PROG(SILENT, kp_reclaim_begin, int order)
{
	return begin(SPAN_RECLAIM, order);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int KP_PROG(memory, kp_reclaim_end, unsigned long nr_reclaimed)
{
	return reclaim_end(nr_reclaimed, 0);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int KP_PROG(SILENT, kp_memcg_reclaim_begin, int order)
{
	return begin(SPAN_RECLAIM, order);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int KP_PROG(memory, kp_memcg_reclaim_end, unsigned long nr_reclaimed)
{
	return reclaim_end(nr_reclaimed, 1);
}
