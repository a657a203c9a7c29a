// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Memory that is not to be had at once: reclaim and compaction by the task that wants it, and who
 * is killed when all that did not help.
 */
#include "bpf/cgroup.h"
#include "bpf/emit.h"
#include "bpf/span.h"

#define ORDER_UNKNOWN (-2)

/* --- reclaim --- */

static __always_inline int reclaim_end(__u64 nr_reclaimed, __u32 memcg)
{
	struct kp_ev_reclaim *ev;
	struct kp_span span;

	if (!kp_span_end(KP_SPAN_RECLAIM, &span))
		return 0;
	ev = KP_EVENT(reclaim, memory, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->entry_ns = span.begin_ns;
	ev->nr_reclaimed = nr_reclaimed;
	ev->order = span.detail;
	ev->memcg = memcg;
	KP_PUT_CGROUP(ev, kp_memory_cgroup(bpf_get_current_task_btf()));
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int KP_PROG(SILENT, kp_reclaim_begin, int order)
{
	return kp_span_begin(KP_SPAN_RECLAIM, KP_GROUP_memory, order);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int KP_PROG(memory, kp_reclaim_end, unsigned long nr_reclaimed)
{
	return reclaim_end(nr_reclaimed, 0);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int KP_PROG(SILENT, kp_memcg_reclaim_begin, int order)
{
	return kp_span_begin(KP_SPAN_RECLAIM, KP_GROUP_memory, order);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int KP_PROG(memory, kp_memcg_reclaim_end, unsigned long nr_reclaimed)
{
	return reclaim_end(nr_reclaimed, 1);
}

static __always_inline int tell_wait(enum kp_reclaim_wait reason, __u32 timeout_us, __u32 waited_us)
{
	struct kp_ev_reclaim_wait *ev = KP_EVENT(reclaim_wait, memory, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	KP_PUT_CGROUP(ev, kp_memory_cgroup(bpf_get_current_task_btf()));
	ev->reason = reason;
	ev->timeout_us = timeout_us;
	ev->waited_us = waited_us;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/mm_vmscan_throttled")
int KP_PROG(memory, kp_reclaim_wait, int node, int timeout_us, int waited_us, int reason)
{
	return tell_wait(kp_reclaim_wait_of(reason), timeout_us, waited_us);
}

SEC("tp_btf/writeback_congestion_wait")
int KP_PROG(memory, kp_congestion_wait, unsigned int timeout_us, unsigned int waited_us)
{
	return tell_wait(KP_RECLAIM_WAIT_DISK, timeout_us, waited_us);
}

/* Without congestion it does not wait. */
SEC("tp_btf/writeback_wait_iff_congested")
int KP_PROG(memory, kp_wait_iff_congested, unsigned int timeout_us, unsigned int waited_us)
{
	return waited_us ? tell_wait(KP_RECLAIM_WAIT_DISK, timeout_us, waited_us) : 0;
}

/* --- compaction --- */

SEC("tp_btf/mm_compaction_begin")
int KP_PROG(SILENT, kp_compaction_begin)
{
	return kp_span_begin(KP_SPAN_COMPACTION, KP_GROUP_memory, 0);
}

static __always_inline int compaction_end(__s32 order, bool direct, bool sync, __u32 result)
{
	struct kp_ev_compaction *ev;
	struct kp_span span;

	if (!kp_span_end(KP_SPAN_COMPACTION, &span))
		return 0;
	ev = KP_EVENT(compaction, memory, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->entry_ns = span.begin_ns;
	KP_PUT_CGROUP(ev, kp_memory_cgroup(bpf_get_current_task_btf()));
	ev->order = order;
	ev->result = result;
	ev->flags = (direct ? KP_COMPACT_DIRECT : 0) | (sync ? KP_COMPACT_SYNC : 0);
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/mm_compaction_end")
int KP_PROG(memory, kp_compaction_end, struct compact_control *cc, unsigned long begin_pfn,
	    unsigned long end_pfn, bool sync, int result)
{
	return compaction_end(cc->order, cc->direct_compaction, sync, result);
}

SEC("tp_btf/mm_compaction_end")
int KP_PROG(memory, kp_compaction_end_6, unsigned long begin_pfn, unsigned long migrate_pfn,
	    unsigned long free_pfn, unsigned long end_pfn, bool sync, int result)
{
	return compaction_end(ORDER_UNKNOWN, false, sync, result);
}

/* --- out of memory --- */

/* The victim, if it is known, and its task that was marked. */
static __always_inline int tell_kill(struct task_struct *victim, __u32 tid)
{
	struct kp_ev_oom_kill *ev = KP_EVENT(oom_kill, memory, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	KP_PUT_CGROUP(ev, victim ? kp_memory_cgroup(victim) : NULL);
	ev->victim_pid = BPF_CORE_READ(victim, tgid);
	ev->victim_tid = tid;
	ev->score_adj = BPF_CORE_READ(victim, signal, oom_score_adj);
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/mark_victim")
int KP_PROG(memory, kp_oom_kill, struct task_struct *victim)
{
	return tell_kill(victim, victim->pid);
}

/* Where a memory cgroup's limit is the reason, the victim is often the task itself. */
SEC("tp_btf/mark_victim")
int KP_PROG(memory, kp_oom_kill_tid, int tid)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return tell_kill(task->pid == tid ? task : NULL, tid);
}
