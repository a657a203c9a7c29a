/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Where kernels from 5.15 to 6.18 differ. Each difference names the versions. A tracepoint whose
 * arguments moved has one program per form; src/record/probes.c chooses by the number of parameters
 * of btf_trace_NAME:
 *
 *   sched_switch       until 5.17 (preempt, prev, next); since 5.18 (…, prev_state) behind them
 *   mm_compaction_end  until 5.18 (begin, migrate, free, end, sync, status); since 5.19
 *                      (control, begin, end, sync, status)
 *   balance_dirty_pages  until 6.12 at least (wb, five counts, …); by 6.18 (wb, control, …); the
 *                      rest (two rates, dirtied, period, pause, start)
 *   io_uring_complete  until 5.16 (ring, user_data, result, flags); 5.17 and 5.18 (ring, request,
 *                      user_data, result, flags); until 6.12 two more behind them; then (ring,
 *                      request, cqe)
 *   io_uring_submit_…  _sqe (ring, request, …) until 5.18, then (request, …); since 6.2 _req
 *   io_uring_queue_async_work  until 5.16 (ring, rw, request, …); 5.17 and 5.18 (ring, request, …);
 *                      then (request, rw)
 *   mm_vmscan_throttled  since 5.16; before, writeback_congestion_wait and _wait_iff_congested
 *   mark_victim        until 6.8 (pid); since 6.9, and in some 6.1, (task, uid)
 *   tcp_retransmit_skb until 6.16 (sk, skb) of what was sent; since 6.17 (…, err), of failures too
 *   tcp_send_reset     until 6.9 (sk, skb), where there is a socket; since 6.10 (…, reason)
 *   kfree_skb          until 5.16 (skb, location); since 5.17 (…, reason); since 6.11 (…, sk)
 *
 * A program that follows pointers of which the verifier does not know the type has a second form
 * for kernels with bpf_rdonly_cast (since 6.2), where that costs a load instead of a helper's call;
 * src/record/probes.c chooses by that function's presence. Functions with a parameter `typed` serve
 * both forms: it is a constant after inlining, and says that their pointers have types.
 *
 * Arguments appended behind those that a program reads need no second program: sched_process_exit
 * (group_dead, 6.16). block_rq_complete's error is an errno until
 * 5.15 and a block status since 5.16.
 */
#ifndef KP_BPF_COMPAT_H
#define KP_BPF_COMPAT_H

#include "bpf/kernel.h"

#include "bpf/shared.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___cpu {
	unsigned int cpu; /* until 5.15; since 5.16 in thread_info */
};
struct io_kiocb___old {
	__u64 user_data; /* until 5.18; then in cqe */
};
struct task_struct___throttled {
	bool throttled; /* since 6.18 */
};
struct cfs_rq___old {
	__u64 throttled_clock_task_time; /* until 5.18 */
};
struct task_struct___rt {
	int softirq_disable_cnt; /* with PREEMPT_RT only */
};
enum vmscan_throttle_state {
	VMSCAN_THROTTLE_WRITEBACK,
	VMSCAN_THROTTLE_ISOLATED,
	VMSCAN_THROTTLE_NOPROGRESS,
	VMSCAN_THROTTLE_CONGESTED,
};
#pragma clang attribute pop

#define MAX_RT_PRIO 100
#define TASK_FROZEN 0x8000   /* since 6.1 */
#define PF_FROZEN 0x00010000 /* until 6.0 */

extern int LINUX_KERNEL_VERSION __kconfig;
extern void *bpf_rdonly_cast(const void *address, __u32 btf_id) __ksym __weak;

/* An address as a pointer to struct type, which must be the kernel's. */
#define KP_CAST(type, address) \
	((struct type *)bpf_rdonly_cast(address, bpf_core_type_id_kernel(struct type)))

/* Member of what p points to, which has a type for the verifier or not. */
#define KP_LOAD(typed, p, member) ((typed) ? (p)->member : BPF_CORE_READ(p, member))

static __always_inline __u32 kp_task_cpu(struct task_struct *task)
{
	struct task_struct___cpu *old = (void *)task;

	if (bpf_core_field_exists(old->cpu))
		return old->cpu;
	return task->thread_info.cpu;
}

/* Whether the kernel counts what groups may run, and a group of this task was ever held for it: for
 * how long in all, on the CPU that it runs on; 0: never. */
static __always_inline __u64 kp_throttled_total(struct cfs_rq *rq)
{
	struct cfs_rq___old *old = (void *)rq;

	if (bpf_core_field_exists(rq->throttled_clock_pelt_time))
		return rq->throttled_clock_pelt_time;
	return bpf_core_field_exists(old->throttled_clock_task_time)
		       ? old->throttled_clock_task_time
		       : 0;
}

/*
 * Whether a task that leaves its CPU does so for its group's quota. Since 6.18 each task is stopped
 * by itself; before, the group is, and whatever of it is runnable stays so.
 */
static __always_inline bool kp_task_throttled(struct task_struct *task, bool is_runnable)
{
	struct task_struct___throttled *t = (void *)task;

	if (bpf_core_field_exists(t->throttled))
		return t->throttled;
	return is_runnable && task->prio >= MAX_RT_PRIO &&
	       bpf_core_field_exists(task->se.cfs_rq->throttle_count) &&
	       task->se.cfs_rq->throttle_count;
}

/* Whether a task that leaves its CPU in this state does so because its cgroup is frozen: `frozen`
 * says it for version 2; the freezer of version 1 had a flag until 6.0, since then a state. */
static __always_inline bool kp_task_frozen(struct task_struct *task, __u32 state)
{
	if (BPF_CORE_READ_BITFIELD(task, frozen))
		return true;
	return LINUX_KERNEL_VERSION >= KERNEL_VERSION(6, 1, 0) ? state & TASK_FROZEN
							       : task->flags & PF_FROZEN;
}

/*
 * Whether the task has not been in user space since it was last given a CPU. Its FPU registers are
 * loaded on the way there, and TIF_NEED_FPU_LOAD stands until then: bit 14, since 6.18 bit 19. It
 * stands too after the kernel itself has used the FPU for the task (checksums, encryption).
 */
static __always_inline bool kp_task_stayed(struct task_struct *task)
{
	__u32 bit = LINUX_KERNEL_VERSION >= KERNEL_VERSION(6, 18, 0) ? 19 : 14;

	return task->thread_info.flags >> bit & 1;
}

#define KP_IS_THROTTLE(reason, name)                                     \
	(bpf_core_enum_value_exists(enum vmscan_throttle_state, name) && \
	 (reason) == (int)bpf_core_enum_value(enum vmscan_throttle_state, name))

/* Why reclaim puts a task to sleep, from the kernel's own number. */
static __always_inline enum kp_reclaim_wait kp_reclaim_wait_of(int reason)
{
	if (KP_IS_THROTTLE(reason, VMSCAN_THROTTLE_WRITEBACK))
		return KP_RECLAIM_WAIT_WRITEBACK;
	if (KP_IS_THROTTLE(reason, VMSCAN_THROTTLE_ISOLATED))
		return KP_RECLAIM_WAIT_ISOLATED;
	if (KP_IS_THROTTLE(reason, VMSCAN_THROTTLE_NOPROGRESS))
		return KP_RECLAIM_WAIT_NOPROGRESS;
	if (KP_IS_THROTTLE(reason, VMSCAN_THROTTLE_CONGESTED))
		return KP_RECLAIM_WAIT_CONGESTED;
	return KP_RECLAIM_WAIT_UNKNOWN;
}

/* Whether a task may take a CPU in the middle of a softirq: PREEMPT_RT. */
static __always_inline bool kp_is_rt(void)
{
	struct task_struct___rt *rt = NULL;

	return bpf_core_field_exists(rt->softirq_disable_cnt);
}

/* Whether what runs on the CPU is the softirq that it serves. */
static __always_inline bool kp_in_softirq(const struct kp_cpu *c)
{
	return c->softirq_ns &&
	       (!kp_is_rt() || c->softirq_tid == (__u32)bpf_get_current_pid_tgid());
}

#endif
