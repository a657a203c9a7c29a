// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Processes and threads come, change and go; the selection for replay is inherited here. Signals.
 */
#include "bpf/emit.h"
#include "bpf/identity.h"

/* --- of a task that was just made --- */

static __always_inline void tell_fork(struct task_struct *parent, struct task_struct *child,
				      struct pid *pid)
{
	struct kp_ev_task_fork *ev = KP_LIFE_EVENT(task_fork, bpf_ktime_get_ns());

	if (!ev)
		return;
	ev->child_pid = child->tgid;
	ev->child_tid = child->pid;
	ev->seen_tid = kp_number_at(pid, BPF_CORE_READ(parent, thread_pid, level));
	ev->own_tid = kp_number_at(pid, BPF_CORE_READ(pid, level));
	ev->shares_memory = child->mm && child->mm == parent->mm;
	ev->pad = 0;
	bpf_probe_read_kernel(ev->comm, sizeof(ev->comm), child->comm);
	KP_SUBMIT(ev);
}

static __always_inline void tell_cgroups(struct task_struct *task)
{
	struct kp_ev_task_cgroup *ev =
		kp_reserve_for(KP_RING_LIFE, KP_GROUP_life, KP_EV_task_cgroup, sizeof(*ev),
			       bpf_ktime_get_ns(), task->tgid, task->pid);

	if (!ev)
		return;
	kp_fill_cgroups(ev, task);
	KP_SUBMIT(ev);
}

static __always_inline void tell_pids(struct task_struct *task, struct pid *pid)
{
	__u32 level = BPF_CORE_READ(pid, level);
	struct kp_ev_task_pid *ev;

	for (__u32 i = 1; i <= KP_PIDNS_MAX && i <= level; i++) {
		ev = kp_reserve_for(KP_RING_LIFE, KP_GROUP_life, KP_EV_task_pid, sizeof(*ev),
				    bpf_ktime_get_ns(), task->tgid, task->pid);
		if (!ev)
			continue;
		kp_fill_pid(ev, pid, i);
		KP_SUBMIT(ev);
	}
}

static __always_inline void select_child(struct task_struct *parent, struct task_struct *child)
{
	struct kp_task *t, *p = NULL;

	t = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (selecting)
		p = bpf_task_storage_get(&tasks, parent, NULL, 0);
	if (t && p && p->selected)
		t->selected = 1;
	else if (p && p->selected) /* what the child does cannot be recorded for replay */
		kp_count_lost(KP_RING_PAYLOAD, KP_GROUP_syscall);
	if (t && !t->selected && kp_in_chosen_cgroup(child)) /* born there: CLONE_INTO_CGROUP */
		t->selected = 1;
}

SEC("tp_btf/sched_process_fork")
int KP_PROG(life, kp_fork, struct task_struct *parent, struct task_struct *child)
{
	struct pid *pid = BPF_CORE_READ(child, thread_pid);

	select_child(parent, child);
	if (!KP_TELLS(life))
		return 0;
	tell_fork(parent, child, pid);
	tell_cgroups(child);
	tell_pids(child, pid);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int KP_PROG(life, kp_exec, struct task_struct *task, int old_tid, struct linux_binprm *bprm)
{
	struct kp_ev_task_exec *ev = kp_text_room();
	struct inode *inode = BPF_CORE_READ(bprm, file, f_inode);

	if (!ev)
		return 0;
	ev->old_tid = old_tid;
	bpf_probe_read_kernel(ev->comm, sizeof(ev->comm), task->comm);
	ev->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	ev->ino = BPF_CORE_READ(inode, i_ino);
	ev->pad = 0;
	return kp_put_text(&ev->hdr, KP_EV_task_exec, sizeof(*ev), bprm->filename);
}

SEC("tp_btf/sched_process_exit")
int KP_PROG(life, kp_exit, struct task_struct *task)
{
	struct kp_ev_task_exit *ev;

	ev = KP_LIFE_EVENT(task_exit, bpf_ktime_get_ns());
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

	ev = KP_LIFE_EVENT(task_rename, bpf_ktime_get_ns());
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
	ev->masked = 0;
	ev->pad = 0;
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
	if (!KP_TELLS(signal) || kp_is_self())
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
