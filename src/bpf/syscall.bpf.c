// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * System calls: one record each, written at exit. Where only selected tasks' are wanted, others
 * pass with a look at their storage. The entry's time waits in a slot of its CPU; the arguments are
 * still in the registers at exit. Tasks selected for replay number their calls and bring the bytes
 * along (payload.bpf.c).
 */
#include "bpf/emit.h"
#include "bpf/object.h"
#include "bpf/payload.h"

/* The object that the call gave or was given. */
static __always_inline void resolve(struct kp_object *object, struct task_struct *task,
				    struct pt_regs *regs, long ret, __u32 nr, __u8 flags,
				    bool typed)
{
	bool i386 = flags & KP_SYSF_I386;
	__u8 rule = kp_fd_rule(nr);

	if (rule & KP_FD_RET && ret >= 0)
		kp_resolve(object, task, ret, typed);
	else if (rule & KP_FD_ARG)
		kp_resolve(object, task, kp_argument(regs, (rule & KP_FD_ARG) - 1, i386), typed);
}

static __always_inline void fill(struct kp_ev_syscall *ev, const struct kp_object *object,
				 struct pt_regs *regs, long ret, __u32 nr, __u8 flags)
{
	bool i386 = flags & KP_SYSF_I386;
	__u32 cnt = kp_arg_cnt(nr);

	ev->ret = ret;
	KP_PUT_ARGS(ev, regs, cnt, i386);
	ev->arg4 = cnt > 4 ? kp_argument(regs, 4, i386) : 0;
	ev->arg5 = cnt > 5 ? kp_argument(regs, 5, i386) : 0;
	KP_PUT_OBJECT(ev, object);
	ev->obj = object->kind;
	ev->nr = nr;
	ev->pad = 0;
}

/*
 * How the call that this CPU's kp_cpu describes left the regular file behind descriptor fd. Replay
 * has its own copy of a file that the process maps, and must know where in it the call wrote. An
 * opened file matters if it is empty now: it may just have lost its content.
 */
__noinline int kp_capture_state(__u32 fd, __u32 opened)
{
	struct file *file = kp_file_of(bpf_get_current_task_btf(), fd, false);
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_file_state *ev;
	struct inode *inode;
	__s64 len;

	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	len = BPF_CORE_READ(inode, i_size);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || (opened && len))
		return 0;
	ev = kp_reserve(c->bulk ? KP_RING_BULK : KP_RING_PAYLOAD, KP_GROUP_payload,
			KP_EV_file_state, sizeof(*ev), c->cap_ns);
	if (!ev)
		return 0;
	ev->ino = BPF_CORE_READ(inode, i_ino);
	ev->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	ev->pos = BPF_CORE_READ(file, f_pos);
	ev->len = len;
	ev->flags = BPF_CORE_READ(file, f_flags);
	ev->seq = c->cap_seq;
	ev->nr = c->cap_nr;
	KP_SUBMIT(ev);
	return 0;
}

static __always_inline void capture_state(struct kp_cpu *c, __u32 nr)
{
	__u8 rule = kp_fd_rule(nr);
	__u32 arg = (rule & KP_FD_USED) >> 4;

	if (kp_failed(c->ret))
		return;
	if ((rule & KP_FD_USED) == KP_FD_OPENED)
		kp_capture_state(c->ret, 1);
	else if (arg)
		kp_capture_state(c->args[(arg - 1) & 7], 0);
}

/* A call of a selected task: its payloads, then its record, in the ring of payloads. */
static __always_inline void record_selected(struct kp_cpu *c, struct kp_task *t,
					    const struct kp_object *object, struct pt_regs *regs,
					    long ret, __u64 now, __u64 entry_ns, __u32 nr,
					    __u8 flags)
{
	struct kp_ev_syscall *ev;
	__u32 seq = ++t->seq;
	/* A call that is taken up again has the registers, and so the buffers, that it had. */
	__u32 as = nr == KP_NR_restart_syscall && t->restarts ? t->restarts : nr;

	t->restarts = ret == -ERESTART_RESTARTBLOCK ? as : 0;
	for (__u32 i = 0; i < KP_ARG_MAX; i++)
		c->args[i] = kp_argument(regs, i, flags & KP_SYSF_I386);
	c->ret = ret;
	c->cap_ns = now;
	c->cap_nr = as;
	c->cap_seq = seq;
	c->budget = KP_CAPTURE_MAX;
	c->incomplete = 0;
	c->bulk = kp_is_bulk(as, ret);
	/* After exec the arguments' addresses mean nothing in the new memory. */
	if (!((nr == KP_NR_execve || nr == KP_NR_execveat) && ret == 0))
		for (__u32 i = 0; i < KP_ARG_MAX; i++)
			kp_capture_arg(i);
	capture_state(c, nr);
	ev = kp_reserve(c->bulk ? KP_RING_BULK : KP_RING_PAYLOAD, KP_GROUP_syscall, KP_EV_syscall,
			sizeof(*ev), now);
	if (!ev)
		return;
	fill(ev, object, regs, ret, nr, flags);
	ev->entry_ns = entry_ns;
	ev->seq = seq;
	ev->flags = flags | KP_SYSF_PAYLOAD | (c->incomplete ? KP_SYSF_INCOMPLETE : 0);
	KP_SUBMIT(ev);
}

/* A page at a fixed address that gives the time without a system call, since 2011 by a fault. */
SEC("tp_btf/emulate_vsyscall")
int KP_PROG(syscall, kp_vsyscall, int nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_ev_syscall *ev;
	struct kp_task *t = kp_selected_task(task);

	if (!t)
		return 0;
	ev = kp_reserve(KP_RING_PAYLOAD, KP_GROUP_syscall, KP_EV_syscall, sizeof(*ev),
			bpf_ktime_get_ns());
	if (!ev)
		return 0;
	__builtin_memset((void *)ev + sizeof(ev->hdr), 0, sizeof(*ev) - sizeof(ev->hdr));
	ev->entry_ns = ev->hdr.time_ns;
	ev->nr = KP_NR_VSYSCALL + nr;
	ev->seq = ++t->seq;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sys_enter")
int KP_PROG(SILENT, kp_sys_enter, struct pt_regs *regs, long nr)
{
	struct kp_cpu *c = kp_this_cpu();

	if (!kp_tells_calls() && !kp_selected_task(bpf_get_current_task_btf()))
		return 0;
	c->nr = nr;
	c->i386 = kp_is_i386(regs, bpf_get_current_task_btf());
	c->entry_ns = bpf_ktime_get_ns();
	return 0;
}

/* A call of any other task, in the ring of the whole system. */
static __always_inline void record_other(struct task_struct *task, const struct kp_object *object,
					 struct pt_regs *regs, long ret, __u64 now, __u64 entry_ns,
					 __u32 nr, __u8 flags)
{
	struct kp_ev_syscall *ev = KP_EVENT_FOR(syscall, syscall, now, task);

	if (!ev)
		return;
	fill(ev, object, regs, ret, nr, flags);
	ev->entry_ns = entry_ns;
	ev->seq = 0;
	ev->flags = flags;
	KP_COMMIT(ev);
}

static __always_inline int on_exit(struct pt_regs *regs, long ret, bool typed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_cpu *c = kp_this_cpu();
	__u64 now, entry_ns = c->entry_ns;
	struct kp_object object = {};
	struct kp_task *t = NULL;
	__u8 flags = 0;
	bool i386;
	__u32 nr;

	/* sched_switch takes the entry of a task that leaves; so this one is the current task's. */
	c->entry_ns = 0;
	if ((__u32)task->tgid == self_pid)
		return 0;
	if (!selecting && entry_ns < calls_since_ns)
		entry_ns = 0;
	if (!entry_ns || selecting)
		t = bpf_task_storage_get(&tasks, task, NULL, 0);
	if (!kp_tells_calls() && !(t && t->selected))
		return 0;
	if (entry_ns) {
		nr = c->nr;
		i386 = c->i386;
	} else if (t && t->entry_ns && (t->selected || t->entry_ns >= calls_since_ns)) {
		entry_ns = t->entry_ns;
		nr = t->nr;
		i386 = t->i386;
	} else {
		/* The recorder came after the entry, or seccomp refused the call. */
		nr = (int)regs->orig_ax == -1 && !(t && t->seq) ? KP_NR_rt_sigreturn
								: regs->orig_ax;
		i386 = kp_is_i386(regs, task);
		flags = KP_SYSF_NOENTRY;
	}
	if (i386) {
		nr = kp_native_nr(nr);
		flags |= KP_SYSF_I386;
	}
	if (t)
		t->entry_ns = 0;
	if (i386 && !(t && t->selected))
		return 0;
	resolve(&object, task, regs, ret, nr, flags, typed);
	now = bpf_ktime_get_ns();
	if (flags & KP_SYSF_NOENTRY)
		entry_ns = now;
	if (t && t->selected)
		record_selected(c, t, &object, regs, ret, now, entry_ns, nr, flags);
	else if (kp_tells_calls())
		record_other(task, &object, regs, ret, now, entry_ns, nr, flags);
	return 0;
}

SEC("tp_btf/sys_exit")
int KP_PROG(syscall, kp_sys_exit, struct pt_regs *regs, long ret)
{
	return on_exit(regs, ret, false);
}

SEC("tp_btf/sys_exit")
int KP_PROG(syscall, kp_sys_exit_typed, struct pt_regs *regs, long ret)
{
	return on_exit(regs, ret, true);
}
