// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Scheduling: who leaves a CPU for whom, who wakes whom and from which context. sched_switch also
 * moves the entry of a system call from the CPU's slot to the task's storage.
 */
#include "bpf/emit.h"

const volatile bool emit_sched = true;
const volatile bool count_entries = true; /* system calls are recorded */

/* The task leaves its CPU in the middle of a system call: its exit may be on another CPU. */
static __always_inline void spill_entry(struct kp_cpu *c, struct task_struct *prev)
{
	struct kp_task *t;

	if (!c->entry_ns)
		return;
	t = bpf_task_storage_get(&tasks, prev, NULL, 0);
	if (t) {
		t->entry_ns = c->entry_ns;
		t->nr = c->nr;
		t->i386 = c->i386;
	} else if (count_entries && prepared && (__u32)prev->tgid != self_pid) {
		/* It had no room for storage: the call's record will be without its begin. */
		kp_count_lost(KP_RING_EVENTS, KP_GROUP_syscall);
	}
	c->entry_ns = 0;
}

static __always_inline int on_switch(bool preempt, struct task_struct *prev,
				     struct task_struct *next, __u32 prev_state)
{
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_sched_switch *ev;

	spill_entry(c, prev);
	if (!emit_sched)
		return 0;
	ev = KP_EVENT_FOR(sched_switch, sched, bpf_ktime_get_ns(), prev);
	if (!ev)
		return 0;
	ev->prev_state = preempt ? 0 : prev_state;
	ev->next_pid = next->tgid;
	ev->next_tid = next->pid;
	ev->prev_prio = prev->prio;
	ev->next_prio = next->prio;
	ev->prev_maj_flt = prev->maj_flt;
	ev->flags = (preempt ? KP_SWITCH_PREEMPT : 0) |
		    (BPF_CORE_READ_BITFIELD(prev, in_iowait) ? KP_SWITCH_IOWAIT : 0) |
		    (kp_task_throttled(prev) ? KP_SWITCH_THROTTLED : 0);
	ev->pad = 0;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(kp_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	return on_switch(preempt, prev, next, prev_state);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(kp_sched_switch_3, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, prev, next, prev->__state);
}

/* What the innermost interrupt of this CPU is about, into a sched_waking. */
static __always_inline void fill_why(struct kp_ev_sched_waking *ev, const struct kp_cpu *c)
{
	__u32 bits = kp_context(c);
	__u32 why = bits & KP_CTX_HARDIRQ ? c->hard_why : bits ? c->soft_why : 0;

	ev->ctx = bits | why;
	ev->softirq = bits & KP_CTX_SOFTIRQ ? c->softirq : 0;
	ev->obj = bits & KP_CTX_HARDIRQ ? c->hard_obj : bits ? c->soft_obj : 0;
	if (why & KP_CTX_NET) {
		ev->laddr = c->laddr;
		ev->raddr = c->raddr;
		ev->lport = c->lport;
		ev->rport = c->rport;
		ev->netns = c->netns;
	} else {
		ev->laddr = ev->raddr = ev->netns = 0;
		ev->lport = ev->rport = 0;
	}
}

SEC("tp_btf/sched_waking")
int BPF_PROG(kp_sched_waking, struct task_struct *target)
{
	struct kp_ev_sched_waking *ev = KP_EVENT(sched_waking, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->target_cpu = kp_task_cpu(target);
	ev->pad = 0;
	fill_why(ev, kp_this_cpu());
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(kp_sched_wakeup_new, struct task_struct *target)
{
	struct kp_ev_sched_wakeup_new *ev = KP_EVENT(sched_wakeup_new, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->target_cpu = kp_task_cpu(target);
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(kp_sched_migrate_task, struct task_struct *target, int dest)
{
	struct kp_ev_sched_migrate *ev = KP_EVENT(sched_migrate, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->orig_cpu = kp_task_cpu(target);
	ev->dest_cpu = dest;
	ev->pad = 0;
	KP_SUBMIT(ev);
	return 0;
}
