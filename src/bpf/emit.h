/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The rings, the counters, and how an event gets into a ring. Each event is counted as produced,
 * and as lost when its ring is full, or when what it needs before that has no room (kp_count_lost).
 *
 * All tracepoints here run with preemption off, so a CPU's memory has one user at a time apart from
 * interrupts. Groups that interrupts write too count atomically.
 */
#ifndef KP_BPF_EMIT_H
#define KP_BPF_EMIT_H

#include "bpf/kernel.h"

#include "bpf/compat.h"
#include "bpf/shared.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/bpf.h>

#define KP_FLAG_RB_QUIET (1ULL << 0) /* BPF_RB_NO_WAKEUP */
#define KP_FLAG_RB_WAKE (1ULL << 1)  /* BPF_RB_FORCE_WAKEUP */

#define KP_PLACE_TRIES 16 /* to take a place in a ring of events, before the event is lost */

/* Filled by src/record/rings.c with each CPU's ring, which it may share with others. */
struct kp_ring_map {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 4096);
		});
};
/* The rings of events, one behind the other; user space sets how many pieces. */
struct kp_piece_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kp_piece);
};
struct kp_task_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kp_task);
};

/* Defined in base.bpf.c. */
extern struct kp_piece_map event_pieces SEC(".maps");
extern struct kp_ring_map payload_rings SEC(".maps");
extern struct kp_ring_map life_rings SEC(".maps");
extern struct kp_ring_map bulk_rings SEC(".maps");
extern struct kp_task_map tasks SEC(".maps");
extern struct kp_counts counts[KP_CPU_MAX * KP_RING_CNT];
extern struct kp_ring_ends ring_ends[KP_CPU_MAX]; /* by ring */
extern struct kp_cpu cpus[KP_CPU_MAX];
extern struct kp_told told[KP_TOLD_CNT];
extern __u32 loss_round;
extern __u32 prepared;
extern __u32 selecting;
extern __u32 telling;
extern __u64 calls_since_ns;
extern __u32 self_pid;
extern struct kp_heart heart;
extern const volatile __u32 unheard_ticks;
extern const volatile __u32 told_groups;
extern const volatile __u32 event_ring_len;
extern const volatile __u16 ring_of[KP_CPU_MAX];

static __always_inline struct kp_cpu *kp_this_cpu(void)
{
	return &cpus[bpf_get_smp_processor_id() & (KP_CPU_MAX - 1)];
}

static __always_inline struct kp_counts *kp_this_counts(__u32 cpu, enum kp_ring ring)
{
	__u32 index = cpu * KP_RING_CNT + ring;

	/* To be masked here and now: 5.15's verifier loses the bounds of what clang makes of it. */
	__asm__ volatile("" : "+r"(index));
	return &counts[index & (KP_CPU_MAX * KP_RING_CNT - 1)];
}

#define KP_TELLS(group) (told_groups & 1u << KP_GROUP_##group)

/* Whether interrupt handlers write events of the group. */
static __always_inline bool kp_group_shared(enum kp_group group)
{
	switch (group) {
#define X(name, number, shared, when) \
	case KP_GROUP_##name:         \
		return shared;
		KP_GROUPS(X)
#undef X
	}
	return true;
}

static __always_inline void kp_count(__u64 *counter, enum kp_group group)
{
	if (kp_group_shared(group))
		__sync_fetch_and_add(counter, 1);
	else
		(*counter)++;
}

static __always_inline void kp_lose(struct kp_counts *c, enum kp_group group, __u64 now)
{
	if (c->lost_in[group] != loss_round) {
		c->lost_in[group] = loss_round;
		c->first_lost_ns[group] = now;
	}
	c->last_lost_ns[group] = now;
	kp_count(&c->lost[group], group);
}

/* An event that cannot be made: something that it needs had no room. */
static __always_inline void kp_count_lost(enum kp_ring ring, enum kp_group group)
{
	struct kp_counts *c = kp_this_counts(bpf_get_smp_processor_id(), ring);

	kp_count(&c->produced[group], group);
	kp_lose(c, group, bpf_ktime_get_ns());
}

/*
 * Whether nobody has emptied the rings for some seconds: a program that finds it so does nothing
 * but count. A group of life is told as long as there is room: it is rare, and what has no name
 * later is worth little. With tasks selected for replay all is told: a call without a number would
 * not be missed.
 */
static __always_inline bool kp_is_unheard(enum kp_group group)
{
	__u64 beat = *(volatile __u64 *)&heart.beat;
	struct kp_counts *c;

	if (heart.seen != beat) {
		heart.seen_ticks = bpf_jiffies64();
		heart.seen = beat;
		return false;
	}
	if (group == KP_GROUP_life || selecting ||
	    bpf_jiffies64() - heart.seen_ticks < unheard_ticks)
		return false;
	if (told_groups & 1u << group) {
		c = kp_this_counts(bpf_get_smp_processor_id(), KP_RING_EVENTS);
		kp_count(&c->unheard[group], group);
	}
	return true;
}

/* A program that tells nothing itself, but keeps in mind what others tell. */
#define KP_GROUP_SILENT ((enum kp_group)31)
_Static_assert(KP_GROUP_CNT < KP_GROUP_SILENT, "told_groups has a bit for each group");

/*
 * A program as BPF_PROG makes it, with the branch by which each begins. group: that of which a run
 * counts as an event when nobody listens.
 */
#define KP_PROG(group, name, args...)                                                          \
	name(unsigned long long *ctx);                                                         \
	static __always_inline int on_##name(unsigned long long *ctx, ##args);                 \
	int name(unsigned long long *ctx)                                                      \
	{                                                                                      \
		_Pragma("GCC diagnostic push");                                                \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"");                        \
		return kp_is_unheard(KP_GROUP_##group) ? 0 : on_##name(___bpf_ctx_cast(args)); \
		_Pragma("GCC diagnostic pop");                                                 \
	}                                                                                      \
	static __always_inline int on_##name(unsigned long long *ctx, ##args)

/* Wakes the reader by one of BPF's rings, which holds the same events as before. */
static __noinline int kp_wake(void *ring)
{
	void *piece = bpf_ringbuf_reserve(ring, sizeof(__u64), 0);

	if (piece)
		bpf_ringbuf_discard(piece, KP_FLAG_RB_WAKE);
	return 0;
}

/* That, if the ring is filled to a quarter: else the reader comes when it likes. */
static __noinline int kp_look(void *ring)
{
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >=
	    bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4)
		kp_wake(ring);
	return 0;
}

/* The same of a ring of events, which cannot wake by itself and is just now filled so far. */
static __noinline int kp_wake_for_events(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&life_rings, &cpu);

	return ring ? kp_wake(ring) : 0;
}

/*
 * BPF_CMPXCHG: what was at `at`, which is `now` if it was `old`. Kernels since 5.12 have it; clang
 * writes it for -mcpu=v3 only, whose 32-bit registers 5.15's verifier does not follow through our
 * programs.
 */
static __always_inline __u64 kp_cmpxchg(__u64 *at, __u64 old, __u64 now)
{
	__u64 was;

	__asm__ volatile("r0 = %1\n"
			 "r1 = %2\n"
			 "r2 = %3\n"
			 ".8byte 0xf1000021db\n" /* lock *(u64 *)(r1 + 0), r0, r2 */
			 "%0 = r0\n"
			 : "=r"(was)
			 : "r"(old), "r"(at), "r"(now)
			 : "r0", "r1", "r2", "memory");
	return was;
}

/* Size bytes of a ring of events, for nobody else now, at *ret_at; false: it has no room. */
static __always_inline bool kp_take_place(__u32 ring, __u32 size, __u64 *ret_at)
{
	struct kp_ring_ends *ends = &ring_ends[ring & (KP_CPU_MAX - 1)];
	__u64 head, tail, used;

	/* Only an interrupt, or another CPU of the ring, comes in between. */
	for (int i = 0; i < KP_PLACE_TRIES; i++) {
		tail = *(volatile __u64 *)&ends->tail; /* first, so that it is not past the head */
		head = *(volatile __u64 *)&ends->head;
		used = head - tail;
		if (used + size > event_ring_len)
			return false;
		if (kp_cmpxchg(&ends->head, head, head + size) != head)
			continue;
		if (used < event_ring_len / 4 && used + size >= event_ring_len / 4)
			kp_wake_for_events();
		*ret_at = head;
		return true;
	}
	return false;
}

/* A place as memory; never NULL for one that was taken. */
static __always_inline void *kp_place(__u32 ring, __u64 at)
{
	__u32 key = (ring * event_ring_len + (at & (event_ring_len - 1))) / KP_PIECE_LEN;
	struct kp_piece *piece = bpf_map_lookup_elem(&event_pieces, &key);

	return piece ? piece->data + (at & (KP_PIECE_LEN - 1)) : NULL;
}

static __always_inline void *kp_reserve_place(__u32 cpu, __u32 size)
{
	__u32 ring = ring_of[cpu & (KP_CPU_MAX - 1)];
	__u64 at;

	return kp_take_place(ring, size, &at) ? kp_place(ring, at) : NULL;
}

/* Room in one of BPF's rings. */
static __always_inline void *kp_reserve_piece(enum kp_ring ring, __u32 cpu, __u32 size)
{
	void *rb = ring == KP_RING_PAYLOAD ? bpf_map_lookup_elem(&payload_rings, &cpu)
		   : ring == KP_RING_LIFE  ? bpf_map_lookup_elem(&life_rings, &cpu)
					   : bpf_map_lookup_elem(&bulk_rings, &cpu);

	if (!rb)
		return NULL;
	if (ring == KP_RING_LIFE)
		kp_look(rb);
	return bpf_ringbuf_reserve(rb, size, 0);
}

/* All but the size. */
static __always_inline void kp_fill_hdr(struct kp_hdr *hdr, __u16 kind, __u64 now, __u32 cpu,
					__u32 pid, __u32 tid)
{
	hdr->time_ns = now;
	hdr->kind = kind;
	hdr->cpu = cpu;
	hdr->pid = pid;
	hdr->tid = tid;
}

/*
 * Room for an event of size bytes in one of this CPU's rings with its header filled in, or NULL:
 * lost. Every other byte must be written, and then KP_COMMIT in the ring of events, KP_SUBMIT in
 * the others.
 */
static __always_inline void *kp_reserve_for(enum kp_ring ring, enum kp_group group, __u16 kind,
					    __u32 size, __u64 now, __u32 pid, __u32 tid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct kp_counts *c = kp_this_counts(cpu, ring);
	struct kp_hdr *hdr = ring == KP_RING_EVENTS ? kp_reserve_place(cpu, size)
						    : kp_reserve_piece(ring, cpu, size);

	kp_count(&c->produced[group], group);
	if (!hdr) {
		kp_lose(c, group, now);
		return NULL;
	}
	kp_fill_hdr(hdr, kind, now, cpu, pid, tid);
	if (ring != KP_RING_EVENTS)
		hdr->size = size;
	return hdr;
}

/* The same for the current task. */
static __always_inline void *kp_reserve(enum kp_ring ring, enum kp_group group, __u16 kind,
					__u32 size, __u64 now)
{
	__u64 who = bpf_get_current_pid_tgid();

	return kp_reserve_for(ring, group, kind, size, now, who >> 32, who);
}

/* An event without data behind its struct, in the ring of the whole system. */
#define KP_EVENT(name, group, now)                                                        \
	(struct kp_ev_##name *)kp_reserve(KP_RING_EVENTS, KP_GROUP_##group, KP_EV_##name, \
					  sizeof(struct kp_ev_##name), now)
/* For the frequent ones, which have the current task's struct at hand. */
#define KP_EVENT_FOR(name, group, now, task)                                                  \
	(struct kp_ev_##name *)kp_reserve_for(KP_RING_EVENTS, KP_GROUP_##group, KP_EV_##name, \
					      sizeof(struct kp_ev_##name), now, (task)->tgid, \
					      (task)->pid)
/* An event of a task's life. */
#define KP_LIFE_EVENT(name, now)                                                     \
	(struct kp_ev_##name *)kp_reserve(KP_RING_LIFE, KP_GROUP_life, KP_EV_##name, \
					  sizeof(struct kp_ev_##name), now)
/* With it the event is there. */
#define KP_COMMIT(ev)                                                                         \
	do {                                                                                  \
		_Static_assert(sizeof(*(ev)) <= KP_RING_EVENT_MAX, "no room behind a piece"); \
		__asm__ volatile("" ::: "memory");                                            \
		*(volatile __u32 *)&(ev)->hdr.size = sizeof(*(ev));                           \
	} while (0)
#define KP_SUBMIT(ev) bpf_ringbuf_submit(ev, KP_FLAG_RB_QUIET)

/* Storage of a task that is selected for replay; NULL: it is not. */
static __always_inline struct kp_task *kp_selected_task(struct task_struct *task)
{
	struct kp_task *t = selecting ? bpf_task_storage_get(&tasks, task, NULL, 0) : NULL;

	return t && t->selected ? t : NULL;
}

/* Whether the calls of all tasks are recorded now. */
static __always_inline bool kp_tells_calls(void)
{
	return KP_TELLS(syscall) && telling & KP_TELL_CALLS;
}

static __always_inline bool kp_is_self(void)
{
	return bpf_get_current_pid_tgid() >> 32 == self_pid;
}

/*
 * Whether a kernel thread does the work of a device's interrupt or of softirqs, by the begin of its
 * name, which says it: irq/24-nvme0q1, napi/eth0-8193, backlog_napi/0, ksoftirqd/0, ktimers/0.
 */
static __always_inline bool kp_is_irq_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 name;

	if (!(task->flags & PF_KTHREAD))
		return false;
	name = (__u32)task->comm[0] << 24 | (__u32)task->comm[1] << 16 | (__u32)task->comm[2] << 8 |
	       (__u32)task->comm[3];
	return name == 'irq/' || name == 'napi' || name == 'back' || name == 'ksof' ||
	       name == 'ktim';
}

/* KP_CTX_HARDIRQ, _SOFTIRQ and _THREAD as far as they hold on this CPU now. */
static __always_inline __u32 kp_context(const struct kp_cpu *c)
{
	__u32 bits = (c->irq_ns || c->hrtimer ? KP_CTX_HARDIRQ : 0) |
		     (kp_in_softirq(c) ? KP_CTX_SOFTIRQ : 0);

	return bits || !kp_is_irq_thread() ? bits : KP_CTX_THREAD;
}

/* The place for why those are woken whom this context wakes. */
static __always_inline struct kp_why *kp_why_of(struct kp_cpu *c, __u32 context)
{
	__u32 index = context & KP_CTX_HARDIRQ   ? KP_WHY_HARDIRQ
		      : context & KP_CTX_SOFTIRQ ? KP_WHY_SOFTIRQ
		      : context & KP_CTX_THREAD  ? KP_WHY_THREAD
						 : KP_WHY_TASK;

	__asm__ volatile("" : "+r"(index));
	return &c->why[index & (KP_WHY_CNT - 1)];
}

/* Why somebody is woken from here on in this context; a task by itself needs no reason. */
static __always_inline void kp_set_why(struct kp_cpu *c, __u32 context, __u32 ctx, __u64 obj,
				       __u64 sock)
{
	if (context)
		*kp_why_of(c, context) = (struct kp_why){.ctx = ctx, .obj = obj, .sock = sock};
}

#endif
