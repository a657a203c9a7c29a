// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Spans of time that a task spends in bringing files to disk: file sync, journal commit; and pauses
 * of those that write faster than that.
 */
#include "bpf/cgroup.h"
#include "bpf/emit.h"
#include "bpf/span.h"

struct kp_span_map spans SEC(".maps");

const volatile __u32 tick_us = 4000; /* of the kernel's clock */

SEC("tp_btf/ext4_sync_file_enter")
int KP_PROG(SILENT, kp_sync_enter, struct file *file, int datasync)
{
	return kp_span_begin(KP_SPAN_SYNC, KP_GROUP_sync, datasync);
}

SEC("tp_btf/ext4_sync_file_exit")
int KP_PROG(sync, kp_sync_exit, struct inode *inode, int ret)
{
	struct kp_ev_file_sync *ev;
	struct kp_span span;

	if (!kp_span_end(KP_SPAN_SYNC, &span))
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
	return kp_span_begin(KP_SPAN_COMMIT, KP_GROUP_sync, 0);
}

SEC("tp_btf/jbd2_end_commit")
int KP_PROG(sync, kp_commit_end, struct journal_s *journal, struct transaction_s *transaction)
{
	struct kp_ev_journal_commit *ev;
	struct kp_span span;

	if (!kp_span_end(KP_SPAN_COMMIT, &span))
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

/* pause: in ticks; not above 0: it need not wait. */
static __always_inline int tell_pause(const struct bdi_writeback *wb, long pause)
{
	struct kp_ev_write_wait *ev;

	if (pause <= 0)
		return 0;
	ev = KP_EVENT(write_wait, sync, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	KP_PUT_CGROUP(ev, kp_memory_cgroup(bpf_get_current_task_btf()));
	ev->dev = BPF_CORE_READ(wb, bdi, owner, devt);
	ev->pause_us = pause * tick_us;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/balance_dirty_pages")
int KP_PROG(sync, kp_write_wait, const struct bdi_writeback *wb, void *control, long rate,
	    long task_rate, long dirtied, long period, long pause)
{
	return tell_pause(wb, pause);
}

SEC("tp_btf/balance_dirty_pages")
int KP_PROG(sync, kp_write_wait_12, const struct bdi_writeback *wb, long limit, long background,
	    long dirty, long disk_limit, long disk_dirty, long rate, long task_rate, long dirtied,
	    long period, long pause)
{
	return tell_pause(wb, pause);
}
