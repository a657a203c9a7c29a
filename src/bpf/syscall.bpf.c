// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * System calls: one record each, written at exit. The entry's time waits in a slot of its CPU; the
 * arguments are still in the registers at exit. Tasks selected for replay number their calls and
 * bring the bytes along (payload.bpf.c).
 */
#include "bpf/emit.h"
#include "bpf/payload.h"

#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define USER32_CS 0x23
/* Of a number of the i386 table: that of the same call of x86-64 and 1, or 0. */
const volatile __u16 i386_natives[KP_SYSCALL_MAX] = {};

#define TS_COMPAT 2 /* thread_info.status: in a call of the i386 table */

const volatile bool emit_syscall = true;
const volatile __u8 fd_rules[KP_SYSCALL_MAX] = {0};

static __always_inline void resolve_socket(struct kp_ev_syscall *ev, struct file *file, bool typed)
{
	void *data = KP_LOAD(typed, file, private_data);
	struct socket *socket = typed ? KP_CAST(socket, data) : data;
	struct sock *sk = KP_LOAD(typed, socket, sk);
	__u16 family = KP_LOAD(typed, sk, __sk_common.skc_family);
	__u16 protocol;

	ev->obj = family == AF_UNIX ? KP_OBJ_unix : KP_OBJ_sock;
	if (family != AF_INET && family != AF_INET6)
		return;
	protocol = KP_LOAD(typed, sk, sk_protocol);
	if (protocol == IPPROTO_TCP)
		ev->obj = KP_OBJ_tcp;
	else if (protocol == IPPROTO_UDP)
		ev->obj = KP_OBJ_udp;
	kp_read_addrs(sk, typed, family, &ev->laddr, &ev->raddr);
	ev->lport = KP_LOAD(typed, sk, __sk_common.skc_num);
	ev->rport = __builtin_bswap16(KP_LOAD(typed, sk, __sk_common.skc_dport));
	ev->netns = typed ? sk->__sk_common.skc_net.net->ns.inum
			  : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline struct file *file_of(struct task_struct *task, __u32 fd, bool typed)
{
	struct fdtable *fdt = task->files->fdt;
	struct file *file = NULL;

	if (fd >= fdt->max_fds)
		return NULL;
	if (!typed) {
		bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
		return file;
	}
	/* The verifier loses the type behind struct file **: any struct that begins with a pointer
	 * gives the address, as which it is then cast. */
	return KP_CAST(file, KP_CAST(list_head, fdt->fd + fd)->next);
}

/* Takes a member out of the bytes of an inode; the kernel that has it further on reads zeros. */
#define INODE_MEMBER(to, c, member)                                                        \
	do {                                                                               \
		__u32 at_ = bpf_core_field_offset(struct inode, member);                   \
		if (at_ <= KP_INODE_LEN - sizeof(((struct inode *)0)->member))             \
			(to) = *(typeof(((struct inode *)0)->member) *)((c)->inode + at_); \
	} while (0)

/* Device and number of a file's inode; returns its mode, 0 if it cannot be read. */
static __always_inline __u16 read_inode(struct kp_ev_syscall *ev, struct file *file, bool typed)
{
	struct inode *inode = KP_LOAD(typed, file, f_inode);
	struct super_block *sb = NULL;
	struct kp_cpu *c;
	__u16 mode = 0;

	if (typed) {
		ev->ino = inode->i_ino;
		ev->dev = inode->i_sb->s_dev;
		return inode->i_mode;
	}
	c = kp_this_cpu();
	if (bpf_probe_read_kernel(c->inode, sizeof(c->inode), inode))
		return 0;
	INODE_MEMBER(mode, c, i_mode);
	INODE_MEMBER(ev->ino, c, i_ino);
	INODE_MEMBER(sb, c, i_sb);
	ev->dev = BPF_CORE_READ(sb, s_dev);
	return mode;
}

static __always_inline void resolve(struct kp_ev_syscall *ev, struct task_struct *task, __u32 fd,
				    bool typed)
{
	struct file *file = file_of(task, fd, typed);

	if (!file)
		return;
	switch (read_inode(ev, file, typed) & S_IFMT) {
	case S_IFREG:
		ev->obj = KP_OBJ_file;
		break;
	case S_IFSOCK:
		resolve_socket(ev, file, typed);
		break;
	case S_IFIFO:
		ev->obj = KP_OBJ_pipe;
		break;
	case S_IFDIR:
		ev->obj = KP_OBJ_dir;
		break;
	case S_IFCHR:
		ev->obj = KP_OBJ_chr;
		break;
	case S_IFBLK:
		ev->obj = KP_OBJ_blk;
		break;
	default:
		ev->obj = KP_OBJ_anon;
	}
}

/* Argument `index` without an array on the stack, which a variable index would need. */
static __always_inline __u64 argument(const struct kp_ev_syscall *ev, __u32 index)
{
	switch (index) {
	case 0:
		return ev->arg0;
	case 1:
		return ev->arg1;
	case 2:
		return ev->arg2;
	case 3:
		return ev->arg3;
	case 4:
		return ev->arg4;
	default:
		return ev->arg5;
	}
}

static __always_inline void fill_args(struct kp_ev_syscall *ev, struct pt_regs *regs, bool i386)
{
	ev->arg0 = i386 ? (__u32)regs->bx : regs->di;
	ev->arg1 = i386 ? (__u32)regs->cx : regs->si;
	ev->arg2 = i386 ? (__u32)regs->dx : regs->dx;
	ev->arg3 = i386 ? (__u32)regs->si : regs->r10;
	ev->arg4 = i386 ? (__u32)regs->di : regs->r8;
	ev->arg5 = i386 ? (__u32)regs->bp : regs->r9;
}

static __always_inline void take_args(struct kp_cpu *c, struct pt_regs *regs, bool i386)
{
	struct kp_ev_syscall ev;

	fill_args(&ev, regs, i386);
	c->args[0] = ev.arg0;
	c->args[1] = ev.arg1;
	c->args[2] = ev.arg2;
	c->args[3] = ev.arg3;
	c->args[4] = ev.arg4;
	c->args[5] = ev.arg5;
}

static __always_inline void fill(struct kp_ev_syscall *ev, struct task_struct *task,
				 struct pt_regs *regs, long ret, __u32 nr, __u8 flags, bool typed)
{
	__u8 rule;

	ev->ret = ret;
	fill_args(ev, regs, flags & KP_SYSF_I386);
	ev->ino = 0;
	ev->dev = 0;
	ev->laddr = 0;
	ev->raddr = 0;
	ev->lport = 0;
	ev->rport = 0;
	ev->netns = 0;
	ev->nr = nr;
	ev->obj = KP_OBJ_none;
	ev->pad = 0;
	rule = nr < KP_SYSCALL_MAX ? fd_rules[nr & (KP_SYSCALL_MAX - 1)] : 0;
	if (rule & KP_FD_RET && ret >= 0)
		resolve(ev, task, ret, typed);
	else if (rule & KP_FD_ARG)
		resolve(ev, task, argument(ev, (rule & KP_FD_ARG) - 1), typed);
}

/*
 * How the call that this CPU's kp_cpu describes left the regular file behind descriptor fd. Replay
 * has its own copy of a file that the process maps, and must know where in it the call wrote. An
 * opened file matters if it is empty now: it may just have lost its content.
 */
__noinline int kp_capture_state(__u32 fd, __u32 opened)
{
	struct file *file = file_of(bpf_get_current_task_btf(), fd, false);
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
	__u8 rule = nr < KP_SYSCALL_MAX ? fd_rules[nr & (KP_SYSCALL_MAX - 1)] : 0;
	__u32 arg = (rule & KP_FD_USED) >> 4;

	if (c->ret < 0 && c->ret >= -4095)
		return;
	if ((rule & KP_FD_USED) == KP_FD_OPENED)
		kp_capture_state(c->ret, 1);
	else if (arg)
		kp_capture_state(c->args[(arg - 1) & 7], 0);
}

/* A call of a selected task: its payloads, then its record, in the ring of payloads. */
static __always_inline void record_selected(struct kp_cpu *c, struct kp_task *t,
					    struct task_struct *task, struct pt_regs *regs,
					    long ret, __u64 now, __u64 entry_ns, __u32 nr,
					    __u8 flags, bool typed)
{
	struct kp_ev_syscall *ev;
	__u32 seq = ++t->seq;

	take_args(c, regs, flags & KP_SYSF_I386);
	c->ret = ret;
	c->cap_ns = now;
	c->cap_nr = nr;
	c->cap_seq = seq;
	c->budget = KP_CAPTURE_MAX;
	c->incomplete = 0;
	c->bulk = ret > KP_BULK_MIN && ret <= KP_CALL_LEN_MAX;
	/* After exec the arguments' addresses mean nothing in the new memory. */
	if (!((nr == KP_NR_execve || nr == KP_NR_execveat) && ret == 0))
		for (__u32 i = 0; i < KP_ARG_MAX; i++)
			kp_capture_arg(i);
	capture_state(c, nr);
	ev = kp_reserve(c->bulk ? KP_RING_BULK : KP_RING_PAYLOAD, KP_GROUP_syscall, KP_EV_syscall,
			sizeof(*ev), now);
	if (!ev)
		return;
	fill(ev, task, regs, ret, nr, flags, typed);
	ev->entry_ns = entry_ns;
	ev->seq = seq;
	ev->flags = flags | KP_SYSF_PAYLOAD | (c->incomplete ? KP_SYSF_INCOMPLETE : 0);
	KP_SUBMIT(ev);
}

/* A page at a fixed address that gives the time without a system call, since 2011 by a fault. */
SEC("tp_btf/emulate_vsyscall")
int BPF_PROG(kp_vsyscall, int nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_ev_syscall *ev;
	struct kp_task *t = NULL;

	if (selecting)
		t = bpf_task_storage_get(&tasks, task, NULL, 0);
	if (!t || !t->selected)
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

/* As it is at a call's entry: an exec may have changed it until the exit. */
static __always_inline bool is_i386(struct pt_regs *regs, struct task_struct *task)
{
	return regs->cs == USER32_CS || task->thread_info.status & TS_COMPAT;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(kp_sys_enter, struct pt_regs *regs, long nr)
{
	struct kp_cpu *c = kp_this_cpu();

	c->nr = nr;
	c->i386 = is_i386(regs, bpf_get_current_task_btf());
	c->entry_ns = bpf_ktime_get_ns();
	return 0;
}

/* A call of any other task, in the ring of the whole system. */
static __always_inline void record_other(struct task_struct *task, struct pt_regs *regs, long ret,
					 __u64 now, __u64 entry_ns, __u32 nr, __u8 flags,
					 bool typed)
{
	struct kp_ev_syscall *ev = KP_EVENT_FOR(syscall, syscall, now, task);

	if (!ev)
		return;
	fill(ev, task, regs, ret, nr, flags, typed);
	ev->entry_ns = entry_ns;
	ev->seq = 0;
	ev->flags = flags;
	KP_SUBMIT(ev);
}

static __always_inline int on_exit(struct pt_regs *regs, long ret, bool typed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_cpu *c = kp_this_cpu();
	__u64 now, entry_ns = c->entry_ns;
	struct kp_task *t = NULL;
	__u8 flags = 0;
	bool i386;
	__u32 nr;

	/* sched_switch takes the entry of a task that leaves; so this one is the current task's. */
	c->entry_ns = 0;
	if ((__u32)task->tgid == self_pid)
		return 0;
	now = bpf_ktime_get_ns();
	if (!entry_ns || selecting)
		t = bpf_task_storage_get(&tasks, task, NULL, 0);
	if (entry_ns) {
		nr = c->nr;
		i386 = c->i386;
	} else if (t && t->entry_ns) {
		entry_ns = t->entry_ns;
		nr = t->nr;
		i386 = t->i386;
	} else {
		/* The recorder came after the entry, or seccomp refused the call. */
		entry_ns = now;
		nr = (int)regs->orig_ax == -1 && !(t && t->seq) ? KP_NR_rt_sigreturn
								: regs->orig_ax;
		i386 = is_i386(regs, task);
		flags = KP_SYSF_NOENTRY;
	}
	if (i386) {
		__u16 native = nr < KP_SYSCALL_MAX ? i386_natives[nr & (KP_SYSCALL_MAX - 1)] : 0;

		nr = native ? native - 1 : nr | KP_NR_I386;
		flags |= KP_SYSF_I386;
	}
	if (t) {
		t->entry_ns = 0;
		if (t->selected) {
			record_selected(c, t, task, regs, ret, now, entry_ns, nr, flags, typed);
			return 0;
		}
	}
	if (emit_syscall && !i386)
		record_other(task, regs, ret, now, entry_ns, nr, flags, typed);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(kp_sys_exit, struct pt_regs *regs, long ret)
{
	return on_exit(regs, ret, false);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(kp_sys_exit_typed, struct pt_regs *regs, long ret)
{
	return on_exit(regs, ret, true);
}
