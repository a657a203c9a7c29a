// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Scheduling: who leaves a CPU for whom, who wakes whom and from which context. sched_switch also
 * moves the entry of a system call from the CPU's slot to the task's storage.
 */
#include "bpf/emit.h"
#include "bpf/object.h"

#define SOFTIRQ_NET_RX 3

const volatile bool emit_sched = true;
const volatile bool emit_waits = true;    /* and the calls in which tasks wait or wake */
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

/* The task leaves its CPU to wait: for what, if it is in a system call. */
static __always_inline void tell_wait(struct task_struct *prev, __u64 now, bool typed)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(prev);
	__u32 nr = kp_call_nr(regs, prev);
	struct kp_object object = {};
	struct kp_ev_wait *ev;
	bool i386;

	if (nr == KP_NR_NONE)
		return;
	kp_resolve_call(&object, prev, regs, nr, typed);
	ev = KP_EVENT_FOR(wait, sched, now, prev);
	if (!ev)
		return;
	i386 = kp_is_i386(regs, prev);
	ev->arg0 = kp_argument(regs, 0, i386);
	ev->arg1 = kp_argument(regs, 1, i386);
	ev->arg2 = kp_argument(regs, 2, i386);
	ev->arg3 = kp_argument(regs, 3, i386);
	KP_PUT_OBJECT(ev, &object);
	ev->obj = object.kind;
	ev->nr = nr;
	ev->flags = kp_task_stayed(prev) ? KP_WAITF_SAME : 0;
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_SUBMIT(ev);
}

static __always_inline int on_switch(bool preempt, struct task_struct *prev,
				     struct task_struct *next, __u32 prev_state, bool typed)
{
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_sched_switch *ev;
	__u64 now;

	spill_entry(c, prev);
	if (!emit_sched)
		return 0;
	now = bpf_ktime_get_ns();
	if (emit_waits && !preempt && prev_state && prev->pid)
		tell_wait(prev, now, typed);
	ev = KP_EVENT_FOR(sched_switch, sched, now, prev);
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
int BPF_PROG(kp_sched_switch_typed, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	return on_switch(preempt, prev, next, prev_state, true);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(kp_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	return on_switch(preempt, prev, next, prev_state, false);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(kp_sched_switch_3, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, prev, next, prev->__state, false);
}

/*
 * Whether the current task's system call may say why it wakes somebody: it runs by itself, or takes
 * in on the way out of a send what the send has brought to this machine's own network.
 */
static __always_inline bool is_by_call(__u32 ctx, __u32 softirq)
{
	return !(ctx & KP_CTX_HARDIRQ) && (!(ctx & KP_CTX_SOFTIRQ) || softirq == SOFTIRQ_NET_RX);
}

static __always_inline void fill_waker(struct kp_ev_sched_waking *ev, struct kp_object *object,
				       bool typed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	ev->nr = task->pid ? kp_call_nr(regs, task) : KP_NR_NONE;
	if (ev->nr != KP_NR_NONE)
		kp_resolve_call(object, task, regs, ev->nr, typed);
}

/* In which context the current task or an interrupt wakes somebody, and what it is about. */
static __always_inline void fill_why(struct kp_ev_sched_waking *ev, const struct kp_cpu *c,
				     bool typed)
{
	struct kp_object object = {};
	__u32 bits = kp_context(c);
	__u32 why = bits & KP_CTX_HARDIRQ ? c->hard_why : bits ? c->soft_why : 0;

	ev->ctx = bits | why;
	ev->softirq = bits & KP_CTX_SOFTIRQ ? c->softirq : 0;
	ev->obj = bits & KP_CTX_HARDIRQ ? c->hard_obj : bits ? c->soft_obj : 0;
	ev->nr = KP_NR_NONE;
	if (emit_waits && is_by_call(bits, ev->softirq))
		fill_waker(ev, &object, typed);
	KP_PUT_OBJECT(ev, &object);
	ev->fobj = object.kind;
	if (why & KP_CTX_NET)
		KP_PUT_ADDRESSES(ev, c);
}

static __always_inline int on_waking(struct task_struct *target, bool typed)
{
	struct kp_ev_sched_waking *ev = KP_EVENT(sched_waking, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->target_cpu = kp_task_cpu(target);
	ev->pad0 = 0;
	ev->pad1 = 0;
	fill_why(ev, kp_this_cpu(), typed);
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(kp_sched_waking_typed, struct task_struct *target)
{
	return on_waking(target, true);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(kp_sched_waking, struct task_struct *target)
{
	return on_waking(target, false);
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
