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
struct kp_task_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kp_task);
};

/* Defined in base.bpf.c. */
extern struct kp_ring_map event_rings SEC(".maps");
extern struct kp_ring_map payload_rings SEC(".maps");
extern struct kp_ring_map life_rings SEC(".maps");
extern struct kp_ring_map bulk_rings SEC(".maps");
extern struct kp_task_map tasks SEC(".maps");
extern struct kp_counts counts[KP_CPU_MAX * KP_RING_CNT];
extern struct kp_cpu cpus[KP_CPU_MAX];
extern struct kp_told told[KP_TOLD_CNT];
extern __u32 loss_round;
extern __u32 prepared;
extern __u32 selecting;
extern __u32 telling;
extern __u64 calls_since_ns;
extern const volatile __u32 self_pid;
extern const volatile bool emit_syscall;

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

/* Groups of which interrupt handlers write too, while a task's program may be counting. */
static __always_inline bool kp_group_shared(enum kp_group group)
{
	return group == KP_GROUP_irq || group == KP_GROUP_block || group == KP_GROUP_tcp ||
	       group == KP_GROUP_signal || group == KP_GROUP_life;
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
 * Room for an event of size bytes in one of this CPU's rings with its header filled in, or NULL:
 * lost. Every other byte must be written before bpf_ringbuf_submit.
 */
static __always_inline void *kp_reserve_for(enum kp_ring ring, enum kp_group group, __u16 kind,
					    __u32 size, __u64 now, __u32 pid, __u32 tid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct kp_counts *c = kp_this_counts(cpu, ring);
	struct kp_hdr *hdr = NULL;
	void *rb = ring == KP_RING_PAYLOAD ? bpf_map_lookup_elem(&payload_rings, &cpu)
		   : ring == KP_RING_LIFE  ? bpf_map_lookup_elem(&life_rings, &cpu)
		   : ring == KP_RING_BULK  ? bpf_map_lookup_elem(&bulk_rings, &cpu)
					   : bpf_map_lookup_elem(&event_rings, &cpu);

	kp_count(&c->produced[group], group);
	if (rb)
		hdr = bpf_ringbuf_reserve(rb, size, 0);
	if (!hdr) {
		kp_lose(c, group, now);
		return NULL;
	}
	hdr->time_ns = now;
	hdr->size = size;
	hdr->kind = kind;
	hdr->cpu = cpu;
	hdr->pid = pid;
	hdr->tid = tid;
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
	return emit_syscall && telling & KP_TELL_CALLS;
}

static __always_inline bool kp_is_self(void)
{
	return bpf_get_current_pid_tgid() >> 32 == self_pid;
}

/* KP_CTX_HARDIRQ and KP_CTX_SOFTIRQ as far as they hold on this CPU now. */
static __always_inline __u32 kp_context(const struct kp_cpu *c)
{
	return (c->irq_ns || c->hrtimer ? KP_CTX_HARDIRQ : 0) |
	       (c->softirq_ns ? KP_CTX_SOFTIRQ : 0);
}

#endif
