// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Scheduling: who leaves a CPU for whom, who wakes whom and from which context. sched_switch also
 * moves the entry of a system call from the CPU's slot to the task's storage.
 */
#include "bpf/emit.h"
#include "bpf/fault.h"
#include "bpf/object.h"
#include "bpf/throttle.h"

#define SOFTIRQ_NET_RX 3

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
	} else if (kp_tells_calls() && c->entry_ns >= calls_since_ns && prepared &&
		   (__u32)prev->tgid != self_pid) {
		/* It had no room for storage: the call's record will be without its begin. */
		kp_count_lost(KP_RING_EVENTS, KP_GROUP_syscall);
	}
	c->entry_ns = 0;
}

/* flags: KP_SWITCH_PREEMPT and _THROTTLED as they are */
static __always_inline void fill_switch(struct kp_ev_sched_switch *ev, __u32 flags,
					struct task_struct *prev, struct task_struct *next,
					__u32 prev_state)
{
	__u32 state = flags & KP_SWITCH_PREEMPT ? 0 : prev_state;

	ev->prev_state = state;
	ev->next_pid = next->tgid;
	ev->next_tid = next->pid;
	ev->prev_prio = prev->prio;
	ev->next_prio = next->prio;
	ev->prev_maj_flt = prev->maj_flt;
	ev->flags = flags | (BPF_CORE_READ_BITFIELD(prev, in_iowait) ? KP_SWITCH_IOWAIT : 0) |
		    (state && kp_task_frozen(prev, state) ? KP_SWITCH_FROZEN : 0);
	ev->pad = 0;
}

static __always_inline void fill_wait(struct kp_ev_wait *ev, struct task_struct *prev,
				      struct pt_regs *regs, __u32 nr,
				      const struct kp_object *object)
{
	bool i386 = kp_is_i386(regs, prev);
	__u32 cnt = kp_arg_cnt(nr);

	KP_PUT_ARGS(ev, regs, cnt, i386);
	KP_PUT_OBJECT(ev, object);
	ev->obj = object->kind;
	ev->nr = nr;
	ev->flags = kp_task_stayed(prev) ? KP_WAITF_SAME : 0;
	ev->pad0 = 0;
	ev->pad1 = 0;
}

/* The task leaves its CPU to wait in a call: that and the switch, for which room is taken at once.
 */
static __always_inline void on_wait(__u32 flags, struct task_struct *prev, struct task_struct *next,
				    __u32 prev_state, struct pt_regs *regs, __u32 nr, bool typed)
{
	__u32 cpu = bpf_get_smp_processor_id(), ring = ring_of[cpu & (KP_CPU_MAX - 1)];
	struct kp_counts *c = kp_this_counts(cpu, KP_RING_EVENTS);
	struct kp_ev_sched_switch *change = NULL;
	struct kp_ev_wait *wait = NULL;
	struct kp_object object = {};
	__u64 now, at;

	kp_resolve_call(&object, prev, regs, nr, typed);
	now = bpf_ktime_get_ns();
	c->produced[KP_GROUP_sched] += 2;
	if (kp_take_place(ring, sizeof(*wait) + sizeof(*change), &at)) {
		wait = kp_place(ring, at);
		change = kp_place(ring, at + sizeof(*wait));
	}
	if (!wait || !change) {
		kp_lose(c, KP_GROUP_sched, now);
		kp_lose(c, KP_GROUP_sched, now);
		return;
	}
	kp_fill_hdr(&wait->hdr, KP_EV_wait, now, cpu, prev->tgid, prev->pid);
	fill_wait(wait, prev, regs, nr, &object);
	KP_COMMIT(wait);
	kp_fill_hdr(&change->hdr, KP_EV_sched_switch, now, cpu, prev->tgid, prev->pid);
	fill_switch(change, flags, prev, next, prev_state);
	KP_COMMIT(change);
}

/* The task leaves its CPU otherwise: it could run on, waits in a fault, or is a thread of the
 * kernel. */
static __always_inline void on_leave(__u32 flags, struct task_struct *prev,
				     struct task_struct *next, __u32 prev_state)
{
	struct kp_ev_sched_switch *ev = KP_EVENT_FOR(sched_switch, sched, bpf_ktime_get_ns(), prev);

	if (!ev)
		return;
	fill_switch(ev, flags, prev, next, prev_state);
	KP_COMMIT(ev);
}

static __always_inline void tell_switch(void *ctx, __u32 flags, struct task_struct *prev,
					struct task_struct *next, __u32 prev_state, bool typed)
{
	struct pt_regs *regs;
	__u32 nr;

	if (telling & KP_TELL_WAITS && !(flags & KP_SWITCH_PREEMPT) && prev_state && prev->pid) {
		regs = (struct pt_regs *)bpf_task_pt_regs(prev);
		nr = kp_call_nr(regs, prev);
		if (nr != KP_NR_NONE) {
			on_wait(flags, prev, next, prev_state, regs, nr, typed);
			return;
		}
		if (kp_in_fault(prev, regs, prev_state))
			kp_tell_fault(ctx, prev, regs->ip);
	}
	on_leave(flags, prev, next, prev_state);
}

static __always_inline int on_switch(void *ctx, bool preempt, struct task_struct *prev,
				     struct task_struct *next, __u32 prev_state, bool typed)
{
	struct kp_cpu *c = kp_this_cpu();
	__u32 flags;

	c->why[KP_WHY_THREAD].ctx = 0;
	spill_entry(c, prev);
	if (!KP_TELLS(sched) || !(telling & KP_TELL_SWITCHES))
		return 0;
	flags = (preempt ? KP_SWITCH_PREEMPT : 0) |
		(kp_task_throttled(prev, preempt || !prev_state) ? KP_SWITCH_THROTTLED : 0);
	tell_switch(ctx, flags, prev, next, prev_state, typed);
	if (flags & KP_SWITCH_THROTTLED)
		kp_throttle_begins(prev);
	kp_tell_throttled(next);
	return 0;
}

SEC("tp_btf/sched_switch")
int KP_PROG(sched, kp_sched_switch_typed, bool preempt, struct task_struct *prev,
	    struct task_struct *next, unsigned int prev_state)
{
	return on_switch(ctx, preempt, prev, next, prev_state, true);
}

SEC("tp_btf/sched_switch")
int KP_PROG(sched, kp_sched_switch, bool preempt, struct task_struct *prev,
	    struct task_struct *next, unsigned int prev_state)
{
	return on_switch(ctx, preempt, prev, next, prev_state, false);
}

SEC("tp_btf/sched_switch")
int KP_PROG(sched, kp_sched_switch_3, bool preempt, struct task_struct *prev,
	    struct task_struct *next)
{
	return on_switch(ctx, preempt, prev, next, prev->__state, false);
}

/*
 * Whether the current task's system call may say why it wakes somebody: it runs by itself, or takes
 * in on the way out of a send what the send has brought to this machine's own network.
 */
static __always_inline bool is_by_call(__u32 ctx, __u32 softirq)
{
	return !(ctx & KP_CTX_HARDIRQ) && (!(ctx & KP_CTX_SOFTIRQ) || softirq == SOFTIRQ_NET_RX);
}

/* In which call the current task is as it wakes somebody, and its object. */
static __always_inline __u32 resolve_waker(struct kp_object *object, const struct kp_cpu *c,
					   __u32 bits, bool typed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	__u32 nr;

	if (!(telling & KP_TELL_WAITS) || !task->pid || !is_by_call(bits, c->softirq))
		return KP_NR_NONE;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	nr = kp_call_nr(regs, task);
	if (nr != KP_NR_NONE)
		kp_resolve_call(object, task, regs, nr, typed);
	return nr;
}

/* In which context the current task or an interrupt wakes somebody, and what it is about. */
static __always_inline void fill_why(struct kp_ev_sched_waking *ev, struct kp_cpu *c, __u32 bits,
				     const struct kp_object *object)
{
	const struct kp_why *why = kp_why_of(c, bits);

	ev->ctx = bits | why->ctx;
	ev->softirq = bits & KP_CTX_SOFTIRQ ? c->softirq : 0;
	ev->obj = why->obj;
	KP_PUT_OBJECT(ev, object);
	ev->fobj = object->kind;
	if (why->ctx & KP_CTX_NET)
		ev->sock = why->sock;
}

static __always_inline int on_waking(struct task_struct *target, bool typed)
{
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_sched_waking *ev;
	struct kp_object object = {};
	__u32 bits = kp_context(c), nr = resolve_waker(&object, c, bits, typed);

	ev = KP_EVENT(sched_waking, sched, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->target_cpu = kp_task_cpu(target);
	ev->nr = nr;
	ev->pad0 = 0;
	ev->pad1 = 0;
	fill_why(ev, c, bits, &object);
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/sched_waking")
int KP_PROG(sched, kp_sched_waking_typed, struct task_struct *target)
{
	return on_waking(target, true);
}

SEC("tp_btf/sched_waking")
int KP_PROG(sched, kp_sched_waking, struct task_struct *target)
{
	return on_waking(target, false);
}

SEC("tp_btf/sched_wakeup_new")
int KP_PROG(sched, kp_sched_wakeup_new, struct task_struct *target)
{
	struct kp_ev_sched_wakeup_new *ev = KP_EVENT(sched_wakeup_new, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->target_cpu = kp_task_cpu(target);
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int KP_PROG(sched, kp_sched_migrate_task, struct task_struct *target, int dest)
{
	struct kp_ev_sched_migrate *ev = KP_EVENT(sched_migrate, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->orig_cpu = kp_task_cpu(target);
	ev->dest_cpu = dest;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}
