/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Cgroups that have used up their CPU quota. No tracepoint tells that; but each group has a queue
 * on each CPU, which knows for how long it was held in all, and where that has grown as a task of
 * the group runs again, the group was held in between. Where none ever was, this costs a few loads.
 */
#ifndef KP_BPF_THROTTLE_H
#define KP_BPF_THROTTLE_H

#include "bpf/cgroup.h"
#include "bpf/emit.h"

#define KP_GROUP_DEPTH 16
#define KP_NO_QUOTA (~0ull)

struct kp_throttle {
	__u64 told_ns;  /* of the queue's total */
	__u64 begin_ns; /* 0: not seen */
	__u64 cgroup;
	__u32 hierarchy;
	__u32 pad;
};

/* By the queue's address. Groups come and go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct kp_throttle);
} throttles SEC(".maps");

/* Of the task's groups the innermost that is held itself, or NULL. */
static __always_inline struct cgroup *kp_held_group(struct task_struct *task)
{
	struct sched_entity *se = &task->se;
	struct cfs_rq *rq;

	for (int i = 0; i < KP_GROUP_DEPTH && se; i++) {
		rq = BPF_CORE_READ(se, cfs_rq);
		if (BPF_CORE_READ_BITFIELD_PROBED(rq, throttled))
			return BPF_CORE_READ(rq, tg, css.cgroup);
		se = BPF_CORE_READ(se, parent);
	}
	return NULL;
}

/* The innermost group that has a quota, or NULL. */
static __always_inline struct cgroup *kp_quota_group(struct task_group *group)
{
	for (int i = 0; i < KP_GROUP_DEPTH && group; i++) {
		if (BPF_CORE_READ(group, cfs_bandwidth.quota) != KP_NO_QUOTA)
			return BPF_CORE_READ(group, css.cgroup);
		group = BPF_CORE_READ(group, parent);
	}
	return NULL;
}

/* A task leaves its CPU because its group is held. */
static __noinline int kp_throttle_begins(struct task_struct *prev)
{
	struct cfs_rq *rq = prev->se.cfs_rq;
	struct kp_throttle begun = {.told_ns = kp_throttled_total(rq),
				    .begin_ns = bpf_ktime_get_ns()};
	struct kp_throttle *seen;
	__u64 key = (__u64)rq;

	seen = bpf_map_lookup_elem(&throttles, &key);
	if (seen && seen->begin_ns)
		return 0;
	KP_PUT_CGROUP(&begun, kp_held_group(prev));
	bpf_map_update_elem(&throttles, &key, &begun, BPF_ANY);
	return 0;
}

static __noinline int kp_throttle_ended(struct task_struct *next, struct kp_throttle *t,
					__u64 total)
{
	struct kp_ev_throttled *ev = KP_EVENT_FOR(throttled, sched, bpf_ktime_get_ns(), next);

	if (ev && t->begin_ns) {
		ev->cgroup = t->cgroup;
		ev->hierarchy = t->hierarchy;
	} else if (ev) {
		KP_PUT_CGROUP(ev, kp_quota_group(next->se.cfs_rq->tg));
	}
	if (ev) {
		ev->begin_ns = t->begin_ns;
		ev->throttled_ns = total - t->told_ns;
		ev->pad = 0;
		KP_COMMIT(ev);
	}
	t->begin_ns = 0;
	t->told_ns = total;
	return 0;
}

/* A task gets its CPU: whether its group was held here. */
static __always_inline void kp_tell_throttled(struct task_struct *next)
{
	struct cfs_rq *rq = next->se.cfs_rq;
	__u64 key = (__u64)rq, total = kp_throttled_total(rq);
	struct kp_throttle *seen, first = {.told_ns = total};

	if (!total)
		return;
	seen = bpf_map_lookup_elem(&throttles, &key);
	if (!seen)
		bpf_map_update_elem(&throttles, &key, &first, BPF_ANY);
	else if (seen->told_ns != total)
		kp_throttle_ended(next, seen, total);
}

#endif
