/* SPDX-License-Identifier: MIT
 *
 * The events as C: one struct per row of events.def, shared by the BPF programs and user space.
 * A struct here is exactly what the ring buffer carries and what a log's decoded block holds.
 * All numbers are little endian (the log is written by and for x86-64).
 *
 * This header compiles in BPF programs too: it includes nothing but, in user space, <stdint.h>.
 */
#ifndef KPROBE_EVENT_H
#define KPROBE_EVENT_H

#ifdef __bpf__
typedef __u8 kp_u8;
typedef __u16 kp_u16;
typedef __u32 kp_u32;
typedef __u64 kp_u64;
typedef __s32 kp_s32;
typedef __s64 kp_s64;
#else
#include <stdint.h>
typedef uint8_t kp_u8;
typedef uint16_t kp_u16;
typedef uint32_t kp_u32;
typedef uint64_t kp_u64;
typedef int32_t kp_s32;
typedef int64_t kp_s64;
#endif

/* Length of a task's name with its NUL: TASK_COMM_LEN. */
#define KP_COMM_LEN 16
typedef char kp_comm[KP_COMM_LEN];

/* An IPv6 address, or an IPv4 one mapped to it. */
#define KP_ADDR_LEN 16
typedef kp_u8 kp_addr[KP_ADDR_LEN];

/* The group of an event is its class for `record -e` and for the loss accounting. Append only.
 * Behind its number: 1 if interrupt handlers write such events too, while a task's program may be
 * counting; and when it is recorded: by DEFAULT, or only when it is ASKED for, since it costs what
 * the default must not, or ALWAYS, having no probes of its own. */
#define KP_GROUPS(X)              \
	X(sched, 0, 0, DEFAULT)   \
	X(life, 1, 1, DEFAULT)    \
	X(syscall, 2, 0, ASKED)   \
	X(payload, 3, 0, ALWAYS)  \
	X(signal, 4, 1, DEFAULT)  \
	X(irq, 5, 1, DEFAULT)     \
	X(block, 6, 1, DEFAULT)   \
	X(sync, 7, 0, DEFAULT)    \
	X(tcp, 8, 1, DEFAULT)     \
	X(memory, 9, 0, DEFAULT)  \
	X(clock, 10, 0, DEFAULT)  \
	X(meta, 11, 0, ALWAYS)    \
	X(kernel, 12, 1, DEFAULT) \
	X(packet, 13, 1, ASKED)

enum kp_group {
#define X(name, number, shared, when) KP_GROUP_##name = number,
	KP_GROUPS(X)
#undef X
};
#define KP_GROUP_CNT 14

/* The same as bits 1 << number: all, and by when they are recorded. */
enum kp_when { KP_WHEN_DEFAULT, KP_WHEN_ASKED, KP_WHEN_ALWAYS };
#define KP_GROUP_IF(of, number, when) | (kp_u32)(KP_WHEN_##when == (of)) << (number)
#define KP_GROUP_DEFAULT(name, number, shared, when) KP_GROUP_IF(KP_WHEN_DEFAULT, number, when)
#define KP_GROUP_ASKED(name, number, shared, when) KP_GROUP_IF(KP_WHEN_ASKED, number, when)
#define KP_GROUP_ALWAYS(name, number, shared, when) KP_GROUP_IF(KP_WHEN_ALWAYS, number, when)
#define KP_GROUPS_ALL ((1u << KP_GROUP_CNT) - 1)
#define KP_GROUPS_DEFAULT (0u KP_GROUPS(KP_GROUP_DEFAULT))
#define KP_GROUPS_ASKED (0u KP_GROUPS(KP_GROUP_ASKED))
#define KP_GROUPS_ALWAYS (0u KP_GROUPS(KP_GROUP_ALWAYS))

/* In an event of a log: a group that this program does not have. */
#define KP_GROUP_UNKNOWN 0xffffffffu

/* What every event begins with. */
struct kp_hdr {
	kp_u64 time_ns; /* CLOCK_MONOTONIC */
	kp_u32 size;    /* of the whole event with its data and padding; a multiple of 8 */
	kp_u16 kind;    /* KP_EV_ */
	kp_u16 cpu;     /* CPU that wrote it, or KP_CPU_USER */
	kp_u32 pid; /* thread group of the current task, initial pid namespace; 0: idle or none */
	kp_u32 tid; /* the current task */
};

#define KP_CPU_USER 0xffff           /* written by the recorder itself, not by a probe */
#define KP_LOST_ANYWHERE 0xffffffffu /* of a loss: on which CPU and stream is not known */
#define KP_DATA_MAX (64u * 1024u)    /* largest data_len of any event */
#define KP_EVENT_MAX (KP_DATA_MAX + 512u)

/* kp_ev_sched_waking.ctx and kp_ev_signal_generate.ctx */
enum {
	KP_CTX_HARDIRQ = 1,
	KP_CTX_SOFTIRQ = 2,
	KP_CTX_NMI = 4,
	KP_CTX_TIMER =
		8, /* a timer's callback; obj is its due time, CLOCK_MONOTONIC, 0 if unknown */
	KP_CTX_BLOCK = 16,  /* completion of a block request; obj is its identity */
	KP_CTX_NET = 32,    /* receipt for a socket, which is named */
	KP_CTX_THREAD = 64, /* a kernel thread that does an interrupt's or a softirq's work */
};
#define KP_CTX_IRQ (KP_CTX_HARDIRQ | KP_CTX_SOFTIRQ | KP_CTX_NMI | KP_CTX_THREAD)

/* kp_ev_executable.state: how its build id became known, or why not. */
enum { KP_EXE_ID = 0, KP_EXE_NO_ID = 1, KP_EXE_NOT_ASKED = 2, KP_EXE_NOT_READ = 3 };

/* kp_ev_cgroup.what */
enum {
	KP_CGROUP_THERE = 0,
	KP_CGROUP_MADE = 1,
	KP_CGROUP_REMOVED = 2,
	KP_CGROUP_RENAMED = 3,
};

/* kp_ev_sched_switch.flags */
enum {
	KP_SWITCH_PREEMPT = 1,
	KP_SWITCH_IOWAIT = 2,
	KP_SWITCH_THROTTLED = 4,
	KP_SWITCH_FROZEN = 8,
};

/* kp_ev_cgroup_freeze.what */
enum { KP_FREEZE_ASKED = 1, KP_FREEZE_ENDED = 2, KP_FREEZE_FROZEN = 3, KP_FREEZE_THAWED = 4 };

/* What a task waits for in a page fault, kp_ev_fault_wait.fault. Append only. */
#define KP_FAULTS(X)  \
	X(unknown, 0) \
	X(file, 1)    \
	X(swap, 2)    \
	X(lock, 3)    \
	X(reclaim, 4) \
	X(high, 5)    \
	X(oom, 6)     \
	X(user, 7)    \
	X(page, 8)

enum kp_fault {
#define X(name, number) KP_FAULT_##name = number,
	KP_FAULTS(X)
#undef X
};

/* Why a task that reclaims memory is put to sleep, kp_ev_reclaim_wait.reason. Append only. */
enum kp_reclaim_wait {
	KP_RECLAIM_WAIT_UNKNOWN = 0,
	KP_RECLAIM_WAIT_WRITEBACK = 1,
	KP_RECLAIM_WAIT_ISOLATED = 2,
	KP_RECLAIM_WAIT_NOPROGRESS = 3,
	KP_RECLAIM_WAIT_CONGESTED = 4,
	KP_RECLAIM_WAIT_DISK = 5,
};

/* kp_ev_pressure.resource: the files of /proc/pressure. Append only. */
#define KP_PRESSURES(X) \
	X(cpu, 0)       \
	X(io, 1)        \
	X(memory, 2)

enum kp_pressure_resource {
#define X(name, number) KP_PRESSURE_##name = number,
	KP_PRESSURES(X)
#undef X
};
#define KP_PRESSURE_CNT 3

/* kp_ev_compaction.flags */
enum { KP_COMPACT_DIRECT = 1, KP_COMPACT_SYNC = 2 };

/* Bits of prev_state, as the kernel has them since 4.14 and as the log keeps them. */
enum {
	KP_TASK_INTERRUPTIBLE = 1,
	KP_TASK_UNINTERRUPTIBLE = 2,
	KP_TASK_STOPPED = 4,
	KP_TASK_TRACED = 8,
	KP_TASK_NOLOAD = 0x400, /* with uninterruptible: a kernel thread that has nothing to do */
	KP_TASK_DEAD = 16 | 32 | 64, /* EXIT_DEAD, EXIT_ZOMBIE, parked is 64 */
};

/* Why a segment is sent again, kp_ev_tcp_retransmit.why. Append only. */
#define KP_RETRANSMITS(X) \
	X(unknown, 0)     \
	X(rto, 1)         \
	X(tlp, 2)         \
	X(fast, 3)        \
	X(loss, 4)

enum kp_retransmit_why {
#define X(name, number) KP_RETRANSMIT_##name = number,
	KP_RETRANSMITS(X)
#undef X
};

/* kp_ev_packet.dir and kp_ev_tcp_reset.dir */
enum { KP_PACKET_OUT = 0, KP_PACKET_IN = 1 };

/* Why a packet was dropped or a reset sent is a number of the recording kernel's, whose names
 * kp_ev_reason_names has; this one: it does not say. */
#define KP_REASON_UNTOLD 0xffffffffu

/* Of what, kp_ev_reason_names.what. */
enum kp_reason_of { KP_REASON_DROP = 0, KP_REASON_RESET = 1 };
#define KP_REASON_CNT 2

/* Kinds of object behind a descriptor. */
#define KP_OBJS(X) \
	X(none, 0) \
	X(file, 1) \
	X(dir, 2)  \
	X(chr, 3)  \
	X(blk, 4)  \
	X(pipe, 5) \
	X(unix, 6) \
	X(tcp, 7)  \
	X(udp, 8)  \
	X(sock, 9) \
	X(anon, 10)
enum kp_obj {
#define X(name, number) KP_OBJ_##name = number,
	KP_OBJS(X)
#undef X
};

/*
 * A socket's number is its cookie, which the kernel gives once and never again until it boots; it
 * gives it when somebody asks. A socket whose cookie nobody has asked for, which not every probe
 * can, goes by the number of its inode until then. Cookies do not come so far: 2^52 at one in a
 * nanosecond takes 52 days, and what counts down from 2^64 for interrupts is far above. JSON has
 * these numbers exactly.
 */
#define KP_SOCK_INO (1ull << 52)

/* kp_ev_syscall.flags */
enum {
	KP_SYSF_PAYLOAD = 1,
	KP_SYSF_NOENTRY = 2,
	KP_SYSF_INCOMPLETE = 4,
	KP_SYSF_I386 =
		8, /* int 0x80 or a 32-bit program: args are ebx to ebp, nr as syscalls.def says */
};

/* kp_ev_wait.flags */
enum { KP_WAITF_SAME = 1 };

/* How much of what tasks do is recorded, kp_ev_tier.tier: each tier has what the one before it has,
 * and costs more. With what a report says of it; NULL: nothing, it is all. */
#define KP_TIERS(X)                                                       \
	X(none, 0, "neither switches nor system calls")                   \
	X(switches, 1, "no system calls")                                 \
	X(waits, 2, "of system calls those that waited or woke somebody") \
	X(calls, 3, NULL)

enum kp_tier {
#define X(name, number, text) KP_TIER_##name = number,
	KP_TIERS(X)
#undef X
};
#define KP_TIER_CNT 4

/* Why the tier changed, kp_ev_tier.why. Append only. */
#define KP_TIER_WHYS(X) \
	X(same, 0)      \
	X(asked, 1)     \
	X(over, 2)      \
	X(under, 3)     \
	X(full, 4)      \
	X(room, 5)

enum kp_tier_why {
#define X(name, number) KP_TIER_WHY_##name = number,
	KP_TIER_WHYS(X)
#undef X
};

/* Why a segment had to go, kp_ev_retain.why. Append only. */
#define KP_RETAIN_WHYS(X)                                           \
	X(size, 1, "the log is as long as it may be")               \
	X(age, 2, "it is older than it may be")                     \
	X(free, 3, "less of the disk is free than there should be") \
	X(full, 4, "the disk is full")                              \
	X(found, 5, "it was not there any more when this recorder was begun")

enum kp_retain_why {
#define X(name, number, text) KP_RETAIN_##name = number,
	KP_RETAIN_WHYS(X)
#undef X
};

/* Whether what is recorded can be written, kp_ev_disk.state. */
enum kp_disk_state {
	KP_DISK_WRITTEN = 0, /* again */
	KP_DISK_SHORT = 1,   /* not for want of room or by a fault; the tiers step down */
	KP_DISK_HELD = 2,    /* not in the lowest tier either: memory keeps the last of it */
};

/* No system call. */
#define KP_NR_NONE 0xffffffffu

/* Added to the number of a call of the i386 table, so that nobody takes it for another call. */
#define KP_NR_I386 0x20000000u
/* Added to the index of a call through the vsyscall page, which the kernel emulates: 0
 * gettimeofday, 1 time, 2 getcpu. It is no system call and has no result in the record. */
#define KP_NR_VSYSCALL 0x21000000u

/* kp_ev_payload.idx: that of an iovec, plus this for each message of a vector before it */
#define KP_IDX_VECTOR 1024u

/* kp_ev_file_object.state */
enum kp_file_state {
	KP_FILE_WHOLE = 0,
	KP_FILE_CHANGED = 1,
	KP_FILE_UNREADABLE = 2,
	KP_FILE_DROPPED = 3,
	KP_FILE_UNWRITTEN = 4,
};

/* kp_ev_payload.dir */
enum { KP_DIR_IN = 0, KP_DIR_OUT = 1 };

/* struct pt_regs of x86-64, as signal_deliver carries it. */
struct kp_pt_regs {
	kp_u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
		flags, sp, ss;
};

/*
 * The data of signal_deliver. An interpreter's loop has its state behind its registers: what each
 * of the first 15 in struct kp_pt_regs points to, zeros where that could not be read. Leaf
 * functions keep their variables below the stack pointer, in the red zone of the ABI. The stack is
 * missing if it could not be read.
 */
#define KP_SIGINFO_LEN 48
#define KP_POINTED_CNT 15
#define KP_POINTED_LEN 32
#define KP_STACK_BELOW 128
#define KP_STACK_LEN 256
struct kp_delivery {
	struct kp_pt_regs regs;
	kp_u8 info[KP_SIGINFO_LEN];
	kp_u8 pointed[KP_POINTED_CNT][KP_POINTED_LEN];
	kp_u8 stack[KP_STACK_LEN]; /* from regs.sp - KP_STACK_BELOW on */
};

enum kp_kind {
#define EVENT(number, name, group, tail, doc) KP_EV_##name = number,
#define FIELD(event, type, name, ref, format, doc)
#define END(event)
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END
	KP_EV_END /* one more than the largest kind */
};

#define KP_TYPE_u8 kp_u8
#define KP_TYPE_u16 kp_u16
#define KP_TYPE_u32 kp_u32
#define KP_TYPE_u64 kp_u64
#define KP_TYPE_s32 kp_s32
#define KP_TYPE_s64 kp_s64
#define KP_TYPE_comm kp_comm
#define KP_TYPE_addr kp_addr

#define EVENT(number, name, group, tail, doc) \
	struct kp_ev_##name {                 \
		struct kp_hdr hdr;
#define FIELD(event, type, name, ref, format, doc) KP_TYPE_##type name;
#define END(event) \
	}          \
	;
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END

/* No implicit padding, and sizes that keep every event aligned. */
#define EVENT(number, name, group, tail, doc)                                                \
	_Static_assert(sizeof(struct kp_ev_##name) % 8 == 0, #name ": not a multiple of 8"); \
	_Static_assert(sizeof(struct kp_ev_##name) == sizeof(struct kp_hdr)
#define FIELD(event, type, name, ref, format, doc) +sizeof(KP_TYPE_##type)
#define END(event) , #event ": the compiler added padding");
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END

/* No number and no name is used twice, by a kind that is gone either: members of one name do not
 * compile. */
struct kp_kind_numbers {
#define EVENT(number, name, group, tail, doc) kp_u8 is_##number, is_##name;
#define GONE(number, name) kp_u8 is_##number, is_##name;
#define FIELD(event, type, name, ref, format, doc)
#define END(event)
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END
};

/* The data behind the fixed part of event `ev` of kind `name`. */
#define KP_TAIL(ev) ((const unsigned char *)((ev) + 1))

/* Rounds an event's size up to the alignment of the stream. */
#define KP_ALIGN8(len) (((len) + 7u) & ~7u)

#endif
