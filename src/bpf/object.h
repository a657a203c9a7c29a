/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * A task's system call by its registers, and the object behind a descriptor.
 */
#ifndef KP_BPF_OBJECT_H
#define KP_BPF_OBJECT_H

#include "bpf/emit.h"
#include "bpf/payload.h"
#include "bpf/socket.h"

#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define ENOSYS 38

#define USER32_CS 0x23
#define TS_COMPAT 2 /* thread_info.status: in a call of the i386 table */

/* Defined in base.bpf.c. Of a number of the i386 table: that of the same call of x86-64 and 1, or
 * 0. */
extern const volatile __u16 i386_natives[KP_SYSCALL_MAX];
extern const volatile __u8 fd_rules[KP_SYSCALL_MAX];
/* Registers that the call does not take as arguments: 6 minus their count. */
extern const volatile __u8 spare_args[KP_SYSCALL_MAX];
/* Calls whose result is how many bytes they bring along. */
extern const volatile bool moves_bytes[KP_SYSCALL_MAX];

struct kp_object {
	__u64 ino;
	__u64 sock;
	__u32 dev;
	__u8 kind; /* KP_OBJ_ */
};

/* All of an object but its kind into the event's members of the same names. */
#define KP_PUT_OBJECT(ev, object)            \
	do {                                 \
		(ev)->ino = (object)->ino;   \
		(ev)->sock = (object)->sock; \
		(ev)->dev = (object)->dev;   \
	} while (0)

static __always_inline struct file *kp_file_of(struct task_struct *task, __u32 fd, bool typed)
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
#define KP_INODE_MEMBER(to, c, member)                                                     \
	do {                                                                               \
		__u32 at_ = bpf_core_field_offset(struct inode, member);                   \
		if (at_ <= KP_INODE_LEN - sizeof(((struct inode *)0)->member))             \
			(to) = *(typeof(((struct inode *)0)->member) *)((c)->inode + at_); \
	} while (0)

/* Device and number of a file's inode; returns its mode, 0 if it cannot be read. */
static __always_inline __u16 kp_read_inode(struct kp_object *object, struct file *file, bool typed)
{
	struct inode *inode = KP_LOAD(typed, file, f_inode);
	struct super_block *sb = NULL;
	struct kp_cpu *c;
	__u16 mode = 0;

	if (typed) {
		object->ino = inode->i_ino;
		object->dev = inode->i_sb->s_dev;
		return inode->i_mode;
	}
	c = kp_this_cpu();
	if (bpf_probe_read_kernel(c->inode, sizeof(c->inode), inode))
		return 0;
	KP_INODE_MEMBER(mode, c, i_mode);
	KP_INODE_MEMBER(object->ino, c, i_ino);
	KP_INODE_MEMBER(sb, c, i_sb);
	object->dev = BPF_CORE_READ(sb, s_dev);
	return mode;
}

/* What stands behind a descriptor; leaves a zeroed object as it is if there is nothing. */
static __always_inline void kp_resolve(struct kp_object *object, struct task_struct *task, __u32 fd,
				       bool typed)
{
	struct file *file = kp_file_of(task, fd, typed);
	struct socket *socket;
	void *data;

	if (!file)
		return;
	switch (kp_read_inode(object, file, typed) & S_IFMT) {
	case S_IFREG:
		object->kind = KP_OBJ_file;
		break;
	case S_IFSOCK:
		data = KP_LOAD(typed, file, private_data);
		socket = typed ? KP_CAST(socket, data) : data;
		object->sock = kp_sock_of(KP_LOAD(typed, socket, sk), object->ino,
					  typed ? KP_SK_CAST : KP_SK_ADDRESS, &object->kind);
		break;
	case S_IFIFO:
		object->kind = KP_OBJ_pipe;
		break;
	case S_IFDIR:
		object->kind = KP_OBJ_dir;
		break;
	case S_IFCHR:
		object->kind = KP_OBJ_chr;
		break;
	case S_IFBLK:
		object->kind = KP_OBJ_blk;
		break;
	default:
		object->kind = KP_OBJ_anon;
	}
}

/* A call's argument by its index from 0. */
static __always_inline __u64 kp_argument(struct pt_regs *regs, __u32 index, bool i386)
{
	switch (index) {
	case 0:
		return i386 ? (__u32)regs->bx : regs->di;
	case 1:
		return i386 ? (__u32)regs->cx : regs->si;
	case 2:
		return i386 ? (__u32)regs->dx : regs->dx;
	case 3:
		return i386 ? (__u32)regs->si : regs->r10;
	case 4:
		return i386 ? (__u32)regs->di : regs->r8;
	default:
		return i386 ? (__u32)regs->bp : regs->r9;
	}
}

/* The first four of a call that takes cnt, with 0 for those that it does not take. */
#define KP_PUT_ARGS(ev, regs, cnt, i386)                               \
	do {                                                           \
		(ev)->arg0 = cnt > 0 ? kp_argument(regs, 0, i386) : 0; \
		(ev)->arg1 = cnt > 1 ? kp_argument(regs, 1, i386) : 0; \
		(ev)->arg2 = cnt > 2 ? kp_argument(regs, 2, i386) : 0; \
		(ev)->arg3 = cnt > 3 ? kp_argument(regs, 3, i386) : 0; \
	} while (0)

static __always_inline bool kp_is_i386(struct pt_regs *regs, struct task_struct *task)
{
	return regs->cs == USER32_CS || task->thread_info.status & TS_COMPAT;
}

/* nr below KP_SYSCALL_MAX as the verifiers believe it: clang leaves the mask out otherwise. */
static __always_inline __u32 kp_nr_index(__u32 nr)
{
	__asm__ volatile("" : "+r"(nr));
	return nr & (KP_SYSCALL_MAX - 1);
}

/* The number of a call of the i386 table as the log has it. */
static __always_inline __u32 kp_native_nr(__u32 nr)
{
	__u16 native = nr < KP_SYSCALL_MAX ? i386_natives[kp_nr_index(nr)] : 0;

	return native ? native - 1 : nr | KP_NR_I386;
}

static __always_inline __u8 kp_fd_rule(__u32 nr)
{
	return nr < KP_SYSCALL_MAX ? fd_rules[kp_nr_index(nr)] : 0;
}

/*
 * The number of the system call in the middle of which the task is, as the log has it, or
 * KP_NR_NONE. The kernel sets the result to -ENOSYS at a call's entry and to what it is at its end;
 * outside of calls the number is -1.
 */
static __always_inline __u32 kp_call_nr(struct pt_regs *regs, struct task_struct *task)
{
	if ((long)regs->ax != -ENOSYS || (int)regs->orig_ax < 0)
		return KP_NR_NONE;
	return kp_is_i386(regs, task) ? kp_native_nr(regs->orig_ax) : regs->orig_ax;
}

/* Whether a call brings more than the rings of payloads should have to hold. */
static __always_inline bool kp_is_bulk(__u32 nr, long ret)
{
	return nr < KP_SYSCALL_MAX && moves_bytes[kp_nr_index(nr)] && ret > KP_BULK_MIN &&
	       ret <= KP_CALL_LEN_MAX;
}

/* How many arguments a call takes; what stands in the registers of others says nothing. */
static __always_inline __u32 kp_arg_cnt(__u32 nr)
{
	return KP_ARG_MAX - (nr < KP_SYSCALL_MAX ? spare_args[kp_nr_index(nr)] : 0);
}

/* The object behind the descriptor that such a call was given. */
static __always_inline void kp_resolve_call(struct kp_object *object, struct task_struct *task,
					    struct pt_regs *regs, __u32 nr, bool typed)
{
	__u32 arg = kp_fd_rule(nr) & KP_FD_ARG;

	if (arg)
		kp_resolve(object, task, kp_argument(regs, arg - 1, kp_is_i386(regs, task)), typed);
}

#endif
