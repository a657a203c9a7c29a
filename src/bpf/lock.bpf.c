// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Waits for the kernel's locks, where it tells them (since Linux 5.19). Their begin waits in a
 * table without locks; only a long one becomes an event. The programs are raw_tp, as those of work
 * items.
 */
#include "bpf/emit.h"
#include "bpf/work.h"

#define LCB_F_SPIN 1
#define IDLE_TID 0x80000000u /* with the CPU: idle tasks have no number of their own */

struct kp_lock_wait lock_waits[KP_LOCK_WAIT_CNT];

/* The current task. */
static __always_inline __u32 waiter(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return tid ? tid : IDLE_TID | bpf_get_smp_processor_id();
}

static __always_inline struct kp_lock_wait *lock_place(__u64 lock, __u32 tid)
{
	return &lock_waits[kp_hash(tid, lock) >> KP_HASH_SHIFT(KP_LOCK_WAIT_CNT)];
}

/* A mutex is first spun for, and that begins again if it has to be slept for. */
SEC("raw_tp/contention_begin")
int KP_PROG(SILENT, kp_lock_begin, __u64 lock, __u32 flags)
{
	__u32 tid = waiter();
	struct kp_lock_wait *w = lock_place(lock, tid);

	if (w->lock == lock && w->tid == tid && w->flags & LCB_F_SPIN && !(flags & LCB_F_SPIN)) {
		w->flags = flags;
		return 0;
	}
	if (w->lock) /* another's, which is not told then */
		kp_count_lost(KP_RING_EVENTS, KP_GROUP_kernel);
	w->lock = lock;
	w->tid = tid;
	w->flags = flags;
	w->begin_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/contention_end")
int KP_PROG(kernel, kp_lock_end, __u64 lock, int ret)
{
	__u32 tid = waiter();
	struct kp_lock_wait *w = lock_place(lock, tid);
	__u64 now = bpf_ktime_get_ns();
	struct kp_ev_lock_wait *ev;

	if (w->lock != lock || w->tid != tid)
		return 0;
	w->lock = 0;
	if (now - w->begin_ns < work_threshold_ns)
		return 0;
	ev = KP_EVENT(lock_wait, kernel, now);
	if (!ev)
		return 0;
	ev->begin_ns = w->begin_ns;
	ev->lock = lock;
	ev->flags = w->flags;
	ev->ret = ret;
	ev->ctx = kp_context(kp_this_cpu());
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}
