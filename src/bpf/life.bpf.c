// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Processes and threads come, change and go; the selection for replay is inherited here. Signals.
 */
#include "bpf/emit.h"

const volatile bool emit_life = true;
const volatile bool emit_signal = true;

#define LIFE_EVENT(name, now)                                                        \
	(struct kp_ev_##name *)kp_reserve(KP_RING_LIFE, KP_GROUP_life, KP_EV_##name, \
					  sizeof(struct kp_ev_##name), now)

/* A task's number in the pid namespace of that level. */
static __always_inline __u32 tid_at(struct task_struct *task, __u32 level)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	int nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      (__u64)level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

SEC("tp_btf/sched_process_fork")
int KP_PROG(life, kp_fork, struct task_struct *parent, struct task_struct *child)
{
	struct kp_task *t, *p = NULL;
	struct kp_ev_task_fork *ev;

	t = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (selecting)
		p = bpf_task_storage_get(&tasks, parent, NULL, 0);
	if (t && p && p->selected)
		t->selected = 1;
	else if (p && p->selected) /* what the child does cannot be recorded for replay */
		kp_count_lost(KP_RING_PAYLOAD, KP_GROUP_syscall);
	if (!emit_life)
		return 0;
	ev = LIFE_EVENT(task_fork, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->child_pid = child->tgid;
	ev->child_tid = child->pid;
	ev->seen_tid = tid_at(child, BPF_CORE_READ(parent, thread_pid, level));
	ev->own_tid = tid_at(child, BPF_CORE_READ(child, thread_pid, level));
	ev->shares_memory = child->mm && child->mm == parent->mm;
	ev->pad = 0;
	bpf_probe_read_kernel(ev->comm, sizeof(ev->comm), child->comm);
	KP_SUBMIT(ev);
	return 0;
}

#define KP_PATH_MAX 4096

/* One size class: the ring wants a constant. The name is short as a rule, so the rest is dropped.
 */
struct exec_event {
	struct kp_ev_task_exec ev;
	char name[KP_PATH_MAX + 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_event);
} exec_scratch SEC(".maps");

SEC("tp_btf/sched_process_exec")
int KP_PROG(life, kp_exec, struct task_struct *task, int old_tid, struct linux_binprm *bprm)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id(), len, size;
	struct exec_event *e = bpf_map_lookup_elem(&exec_scratch, &zero);
	void *ring = bpf_map_lookup_elem(&life_rings, &cpu);
	struct kp_counts *c = kp_this_counts(cpu, KP_RING_LIFE);
	long n;

	if (!e || !ring) {
		kp_count_lost(KP_RING_LIFE, KP_GROUP_life);
		return 0;
	}
	n = bpf_probe_read_kernel_str(e->name, KP_PATH_MAX, bprm->filename);
	len = n > 0 ? n - 1 : 0;
	len &= KP_PATH_MAX - 1;
	*(__u64 *)(e->name + (len & ~7u)) &= len & 7 ? (1ULL << (len & 7) * 8) - 1 : 0;
	size = (sizeof(e->ev) + len + 7) & ~7u;
	e->ev.hdr.time_ns = bpf_ktime_get_ns();
	e->ev.hdr.size = size;
	e->ev.hdr.kind = KP_EV_task_exec;
	e->ev.hdr.cpu = cpu;
	e->ev.hdr.pid = task->tgid;
	e->ev.hdr.tid = task->pid;
	e->ev.old_tid = old_tid;
	bpf_probe_read_kernel(e->ev.comm, sizeof(e->ev.comm), task->comm);
	e->ev.data_len = len;
	kp_count(&c->produced[KP_GROUP_life], KP_GROUP_life);
	if (bpf_ringbuf_output(ring, e, size & 8191, KP_FLAG_RB_QUIET))
		kp_lose(c, KP_GROUP_life, e->ev.hdr.time_ns);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int KP_PROG(life, kp_exit, struct task_struct *task)
{
	struct kp_ev_task_exit *ev;

	ev = LIFE_EVENT(task_exit, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->exit_code = task->exit_code;
	ev->group_dead = task->signal->live.counter == 0;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/task_rename")
int KP_PROG(life, kp_rename, struct task_struct *task, const char *comm)
{
	struct kp_ev_task_rename *ev;

	ev = LIFE_EVENT(task_rename, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->target_tid = task->pid;
	__builtin_memset(ev->comm, 0, sizeof(ev->comm));
	bpf_probe_read_kernel_str(ev->comm, sizeof(ev->comm), comm);
	ev->pad = 0;
	KP_SUBMIT(ev);
	return 0;
}

/* SEND_SIG_NOINFO and SEND_SIG_PRIV stand for a siginfo (linux/sched/signal.h); for that reason
 * verifiers since 6.12 take the pointer for a number. */
static __always_inline int siginfo_code(struct kernel_siginfo *info)
{
	if ((__u64)info == 0)
		return 0; /* SI_USER */
	if ((__u64)info == 1)
		return 0x80; /* SI_KERNEL */
	return BPF_CORE_READ(info, si_code);
}

SEC("tp_btf/signal_generate")
int KP_PROG(signal, kp_signal_generate, int sig, struct kernel_siginfo *info,
	    struct task_struct *target, int group, int result)
{
	struct kp_ev_signal_generate *ev;

	if (kp_is_self())
		return 0;
	ev = KP_EVENT(signal_generate, signal, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->target_pid = target->tgid;
	ev->target_tid = target->pid;
	ev->sig = sig;
	ev->code = siginfo_code(info);
	ev->result = result;
	ev->ctx = kp_context(kp_this_cpu());
	KP_COMMIT(ev);
	return 0;
}

/* signal_deliver of a selected task: the registers at that moment, the kernel's siginfo, the stack.
 */
struct deliver_event {
	struct kp_ev_signal_deliver ev;
	struct kp_delivery data;
};

static __always_inline void fill_deliver(struct kp_ev_signal_deliver *ev, int sig,
					 struct kernel_siginfo *info, struct k_sigaction *ka)
{
	ev->handler = (__u64)ka->sa.sa_handler;
	ev->sa_flags = ka->sa.sa_flags;
	ev->sig = sig;
	ev->code = siginfo_code(info);
}

static __always_inline void fill_delivery(struct deliver_event *d, struct task_struct *task,
					  struct kernel_siginfo *info)
{
	struct kp_delivery *data = &d->data;

	bpf_probe_read_kernel(&data->regs, sizeof(data->regs), (void *)bpf_task_pt_regs(task));
	bpf_probe_read_kernel(data->info, sizeof(data->info), info);
	for (int i = 0; i < KP_POINTED_CNT; i++)
		bpf_probe_read_user(data->pointed[i], KP_POINTED_LEN,
				    (void *)((__u64 *)&data->regs)[i]);
	d->ev.data_len = sizeof(*data);
	if (!bpf_probe_read_user(data->stack, sizeof(data->stack),
				 (void *)(data->regs.sp - KP_STACK_BELOW)))
		return;
	/* What cannot be read is zeros, which end a piece of the ring. */
	d->ev.data_len -= sizeof(data->stack);
	d->ev.hdr.size -= sizeof(data->stack);
}

SEC("tp_btf/signal_deliver")
int KP_PROG(signal, kp_signal_deliver, int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_ev_signal_deliver *ev;
	struct kp_task *t = NULL;

	if (selecting)
		t = bpf_task_storage_get(&tasks, task, NULL, 0);
	if (t && t->selected) {
		struct deliver_event *d =
			kp_reserve(KP_RING_PAYLOAD, KP_GROUP_signal, KP_EV_signal_deliver,
				   sizeof(struct deliver_event), bpf_ktime_get_ns());

		if (!d)
			return 0;
		fill_deliver(&d->ev, sig, info, ka);
		d->ev.seq = t->seq;
		fill_delivery(d, task, info);
		KP_SUBMIT(d);
		return 0;
	}
	if (!emit_signal || kp_is_self())
		return 0;
	ev = KP_EVENT(signal_deliver, signal, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	fill_deliver(ev, sig, info, ka);
	ev->seq = 0;
	ev->data_len = 0;
	KP_COMMIT(ev);
	return 0;
}
