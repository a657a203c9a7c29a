/* SPDX-License-Identifier: MIT
 *
 * What the BPF programs and src/record agree on besides the events: the layout of the global
 * memory that user space maps, and the limits.
 */
#ifndef KP_BPF_SHARED_H
#define KP_BPF_SHARED_H

#include "kprobe/event.h"
#include "kprobe/syscall.h"

/* Programs index arrays of this size by CPU; a power of two. */
#define KP_CPU_MAX 1024

/* The kinds of rings; each CPU has one of each, its own or shared. */
enum kp_ring {
	KP_RING_EVENTS =
		0, /* the stream of the whole system; see kp_ring_ends, the others are BPF's */
	KP_RING_PAYLOAD = 1, /* calls of the tasks selected for replay, with their bytes */
	KP_RING_LIFE = 2,    /* processes and their names, what sockets are: rare, and a flood must
				not cost them */
	KP_RING_BULK = 3,    /* … those with many bytes; all CPUs share one ring */
	KP_RING_CNT = 4,     /* a power of two */
};

/*
 * A ring of events is memory that programs and user space share: a BPF ring buffer takes a lock and
 * switches interrupts off for each piece, which costs more than all else that an event needs. A
 * program takes a place by moving `head` in one atomic step, writes its event, and its size last;
 * until then a size of 0 stands there. User space reads up to such a place, fills what it read with
 * zeros, and moves `tail`. Both count bytes from the start; an event lies in the piece and at the
 * offset that its place says, and may run on behind the piece's end.
 */
#define KP_PIECE_LEN 16384u
#define KP_RING_EVENT_MAX 256u /* bytes of an event in such a ring */

struct kp_piece {
	kp_u8 data[KP_PIECE_LEN + KP_RING_EVENT_MAX];
};

struct kp_ring_ends {
	kp_u64 head __attribute__((aligned(64)));
	kp_u64 tail __attribute__((aligned(64)));
};

/* Events made for one ring of one CPU, and those for which the ring had no room: how many, and when
 * the first and the last since user space looked (it changes loss_round then). */
struct kp_counts {
	kp_u64 produced[KP_GROUP_CNT];
	kp_u64 lost[KP_GROUP_CNT];
	kp_u64 first_lost_ns[KP_GROUP_CNT];
	kp_u64 last_lost_ns[KP_GROUP_CNT];
	kp_u32 lost_in[KP_GROUP_CNT]; /* round of first_lost_ns */
	/* Runs of programs that told nothing since nobody listened (struct kp_heart); in addition.
	 */
	kp_u64 unheard[KP_GROUP_CNT];
};

/*
 * Whether somebody empties the rings. User space counts `beat` up each time it has; the first
 * program that sees a new number keeps the kernel's tick at which it did. When no new number has
 * come for KP_UNHEARD_NS, programs return at once, so that a recorder that is stopped or dead costs
 * next to nothing; what the rings hold then stays there.
 */
#define KP_UNHEARD_NS 5000000000ull

struct kp_heart {
	kp_u64 beat;
	kp_u64 seen;
	kp_u64 seen_ticks;
} __attribute__((aligned(64)));

/* What of the tasks' doing is told now: bits of `telling`, as the tier says. */
enum { KP_TELL_SWITCHES = 1, KP_TELL_WAITS = 2, KP_TELL_CALLS = 4 };

/* Sums per softirq vector (there are 10), then one of all device interrupts; a power of two. */
#define KP_IRQ_SUM_CNT 16
#define KP_IRQ_SUM_DEVICE (KP_IRQ_SUM_CNT - 1)

struct kp_irq_sum {
	kp_u64 count;
	kp_u64 total_ns;
};

/* Members of struct inode within this many bytes are read at once: one helper call, not three. */
#define KP_INODE_LEN 128

/* In which context what runs on a CPU may have a reason to wake somebody: a task by itself has none
 * that is kept here. */
enum kp_why_of {
	KP_WHY_TASK,
	KP_WHY_THREAD, /* a kernel thread that does an interrupt's work, until it leaves the CPU */
	KP_WHY_SOFTIRQ,
	KP_WHY_HARDIRQ,
	KP_WHY_CNT, /* a power of two */
};

/* Why what runs in one context of a CPU may wake somebody, and what it is about; see
 * kp_ev_sched_waking. */
struct kp_why {
	kp_u64 obj;
	kp_u64 sock; /* for KP_CTX_NET */
	kp_u32 ctx;  /* KP_CTX_TIMER, _BLOCK or _NET; 0: not known */
	kp_u32 pad;
};

/*
 * What a CPU is doing. In which context code runs is tracked by the tracepoints of interrupts
 * rather than read from the preemption count, whose address not every kernel tells.
 */
struct kp_cpu {
	kp_u64 entry_ns; /* the current task is in a system call since; 0: it is not, as far as seen
			  */
	kp_u64 irq_ns;   /* begin of the device interrupt being served; 0: none */
	kp_u64 softirq_ns; /* begin of the softirq being served; 0: none */
	struct kp_why why[KP_WHY_CNT];
	kp_u64 told_sk;     /* address of the socket to be told */
	kp_u32 nr;          /* of the system call */
	kp_u32 i386;        /* 1: of the i386 table */
	kp_u32 hrtimer;     /* 1: a high resolution timer's callback runs in a hard interrupt */
	kp_u32 softirq;     /* vector */
	kp_u32 softirq_tid; /* with PREEMPT_RT: the task in which the softirq is served */
	kp_u32 pad;
	/* The call whose payloads are being captured. */
	kp_u64 args[8];
	kp_s64 ret;
	kp_u64 cap_ns; /* its exit, and so the time of its payloads */
	kp_u64 left;   /* bytes of a vector still to come */
	kp_u32 cap_nr;
	kp_u32 cap_seq;
	kp_u32 budget;     /* bytes that the call may still bring */
	kp_u32 incomplete; /* some were not readable, or too many, or the ring was full */
	kp_u32 bulk;       /* 1: into KP_RING_BULK */
	struct kp_irq_sum irq_sums[KP_IRQ_SUM_CNT];
	kp_u8 inode[KP_INODE_LEN]; /* begin of the struct inode that is being looked at */
} __attribute__((aligned(64)));    /* CPUs must not share a cache line */

/* What the log knows of the sockets named last, by their numbers; a power of two. */
#define KP_TOLD_CNT 16384

struct kp_told {
	kp_u64 sock;
	kp_u64 state; /* KP_TOLD_, and a hash of what was told and when */
};
#define KP_TOLD_OBJ 0x0f /* KP_OBJ_ of the socket */
#define KP_TOLD_INO 0x10 /* with its inode */
#define KP_TOLD_HASH (~0x1full)

/* What the log knows of the kernel's functions named last, by their addresses; a power of two. */
#define KP_TOLD_FUNCTION_CNT 1024

struct kp_told_function {
	kp_u64 address;
	kp_u64 round;
};

/* Work items that are queued, by their addresses, and those that run, by themselves and their
 * workers; powers of two. */
#define KP_WORK_CNT 2048

struct kp_queued_work {
	kp_u64 work;
	kp_u64 queued_ns;
	kp_u32 by_pid;
	kp_u32 by_tid;
	kp_u32 ctx;
	kp_u32 pad;
};

struct kp_running_work {
	struct kp_queued_work queued;
	kp_u64 begin_ns;
	kp_u32 tid; /* the worker; 0: none */
	kp_u32 pad;
};

/* Waits for locks, by task and lock; a power of two. */
#define KP_LOCK_WAIT_CNT 4096

struct kp_lock_wait {
	kp_u64 lock;
	kp_u64 begin_ns;
	kp_u32 tid;
	kp_u32 flags;
};

/* Requests of io_uring under way; a power of two. */
#define KP_REQUEST_CNT 4096

struct kp_request {
	kp_u64 key; /* 0: none */
	kp_u64 submit_ns;
	kp_u64 worker_ns;
	kp_u64 user_data;
	kp_u32 by_pid;
	kp_u32 by_tid;
	kp_u32 opcode;
	kp_u32 pad;
};

/* Value of the task storage. */
struct kp_task {
	kp_u64 entry_ns; /* entry of a call during which the task left its CPU; 0: none */
	kp_u32 nr;
	kp_u32 seq;      /* calls completed since the task was selected */
	kp_u32 selected; /* 1: for replay */
	kp_u32 i386;     /* as kp_cpu.i386 */
	kp_u32 restarts; /* number of the call that restart_syscall takes up again, of a selected
			    one */
	kp_u32 pad;
};

/*
 * Payload chunks: data below KP_DATA_MAX so that the length can be bounded by a mask, whole pages
 * so that one unreadable page does not spoil its neighbours' chunk more than needed.
 */
#define KP_CHUNK_MAX 61440u
#define KP_CAPTURE_MAX (64u * 1024u * 1024u) /* bytes of one call */
#define KP_IOV_MAX 1024u /* IOV_MAX of the kernel, as is the most that one recvmmsg gives */
/* So many bytes moved and more, up to the most that a read or write can move: the call's bytes and
 * its record go through the ring that has room for them. */
#define KP_BULK_MIN (1024 * 1024)
#define KP_CALL_LEN_MAX 0x7ffff000
#define KP_BULK_RING_LEN (2u * KP_CAPTURE_MAX)

/* A control group among all of them. */
struct kp_cgroup_key {
	kp_u64 cgroup;
	kp_u32 hierarchy;
	kp_u32 pad;
};
#define KP_CHOSEN_CGROUP_MAX 8192

/* Where payload events are put together; one per CPU. */
struct kp_scratch {
	struct kp_ev_payload ev;
	kp_u8 data[65536 + 8];
};

/* Names of functions of the kernel as programs get them: cut to this, zeros behind. */
#define KP_FUNCTION_LEN 32
#define KP_FAULT_FUNCTION_MAX 64 /* of those that say what a fault waits for */

struct kp_function {
	char name[KP_FUNCTION_LEN];
};

#define KP_COMMAND_MAX 1024 /* rows of commands.def */

/* A row of the rules map: KP_ARG_MAX rounded up to a power of two, for an index that is a mask. */
struct kp_rule_row {
	struct kp_arg args[8];
};

/*
 * fd_rules[nr]: argument that is a descriptor, counted from 1, whether the result is one, and
 * behind what a file is changed or mapped, in bits 4 to 6: an argument, counted from 1, or the
 * result.
 */
#define KP_FD_ARG 0x0f
#define KP_FD_USED 0x70
#define KP_FD_OPENED 0x70 /* the result */
#define KP_FD_RET 0x80

#endif
