// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Waits for the kernel's locks, where it tells them (since Linux 5.19). Their begin waits in a
 * table; only a long one becomes an event. The programs are raw_tp, as those of work
 * items.
 */
#include "bpf/emit.h"
#include "bpf/work.h"

#define LCB_F_SPIN 1

struct kp_lock_wait lock_waits[KP_LOCK_WAIT_CNT];

static __always_inline struct kp_lock_wait *wait_of(__u64 lock, __u32 tid)
{
	struct kp_lock_wait *w;

	return KP_FIND(lock_waits, kp_hash(tid, lock), w, w->lock == lock && w->tid == tid);
}

static __always_inline void tell_lock(const struct kp_lock_wait *w, int ret, __u64 now)
{
	struct kp_ev_lock_wait *ev = KP_EVENT(lock_wait, kernel, now);

	if (!ev)
		return;
	ev->begin_ns = w->begin_ns;
	ev->lock = w->lock;
	ev->flags = w->flags;
	ev->ret = ret;
	ev->ctx = kp_context(kp_this_cpu());
	ev->pad = 0;
	KP_COMMIT(ev);
}

/* A mutex is first spun for, and that begins again if it has to be slept for. */
SEC("raw_tp/contention_begin")
int KP_PROG(SILENT, kp_lock_begin, __u64 lock, __u32 flags)
{
	__u32 tid = kp_runner();
	struct kp_lock_wait *w = wait_of(lock, tid);

	if (w && w->flags & LCB_F_SPIN && !(flags & LCB_F_SPIN)) {
		w->flags = flags;
		return 0;
	}
	if (!w)
		w = KP_TAKE(lock_waits, kp_hash(tid, lock), w, lock, lock);
	w->tid = tid;
	w->flags = flags;
	w->begin_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/contention_end")
int KP_PROG(kernel, kp_lock_end, __u64 lock, int ret)
{
	struct kp_lock_wait *w = wait_of(lock, kp_runner());
	__u64 now;

	if (!w)
		return 0;
	now = bpf_ktime_get_ns();
	if (now - w->begin_ns >= work_threshold_ns)
		tell_lock(w, ret, now);
	w->tid = 0;
	w->lock = 0;
	return 0;
}
