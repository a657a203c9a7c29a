// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Work items: what workers of the kernel do, and who queued it. An item's story is kept from its
 * being queued to its end in two tables without locks, in which a newer one takes an older one's
 * place; only a long one becomes an event. The programs are raw_tp, to which addresses are numbers:
 * the verifier of the others does not let an address be hashed.
 */
#include "bpf/work.h"
#include "bpf/emit.h"
#include "bpf/function.h"

struct kp_queued_work queued_works[KP_WORK_CNT];
struct kp_running_work running_works[KP_WORK_CNT];
struct kp_told_function told_functions[KP_TOLD_FUNCTION_CNT];

/* --- names of functions --- */

#define FUNCTION_EVENT_LEN 128 /* so that a mask bounds it */

struct function_event {
	struct kp_ev_kernel_function ev;
	struct kp_function function;
	__u8 rest[FUNCTION_EVENT_LEN - sizeof(struct kp_ev_kernel_function) -
		  sizeof(struct kp_function)];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct function_event);
} function_scratch SEC(".maps");

__noinline int kp_tell_function(__u64 address)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id(), len;
	struct function_event *e = bpf_map_lookup_elem(&function_scratch, &zero);
	void *ring = bpf_map_lookup_elem(&life_rings, &cpu);
	struct kp_counts *c = kp_this_counts(cpu, KP_RING_LIFE);
	struct kp_told_function *t = &told_functions[(address >> 4) & (KP_TOLD_FUNCTION_CNT - 1)];
	__u64 round = loss_round >> KP_TOLD_ROUNDS_BITS, who = bpf_get_current_pid_tgid();

	if (!e || !ring || (t->address == address && t->round == round + 1))
		return 0;
	t->address = address;
	t->round = round + 1;
	len = kp_name_function(&e->function, address) & (KP_FUNCTION_LEN - 1);
	e->ev.function = address;
	e->ev.pad = 0;
	e->ev.data_len = len;
	kp_fill_hdr(&e->ev.hdr, KP_EV_kernel_function, bpf_ktime_get_ns(), cpu, who >> 32, who);
	e->ev.hdr.size = (sizeof(e->ev) + len + 7) & ~7u;
	kp_count(&c->produced[KP_GROUP_kernel], KP_GROUP_kernel);
	if (bpf_ringbuf_output(ring, e, e->ev.hdr.size & (FUNCTION_EVENT_LEN - 1),
			       KP_FLAG_RB_QUIET))
		kp_lose(c, KP_GROUP_kernel, e->ev.hdr.time_ns);
	return 0;
}

/* --- work items --- */

static __always_inline struct kp_queued_work *queued_place(__u64 work)
{
	return &queued_works[kp_hash(0, work) >> KP_HASH_SHIFT(KP_WORK_CNT)];
}

static __always_inline struct kp_running_work *running_place(__u32 tid)
{
	return &running_works[tid & (KP_WORK_CNT - 1)];
}

/* As in sched_waking. */
static __always_inline __u32 queue_context(struct kp_cpu *c)
{
	__u32 bits = kp_context(c);

	return bits ? bits | kp_why_of(c, bits)->ctx : 0;
}

SEC("raw_tp/workqueue_queue_work")
int KP_PROG(SILENT, kp_work_queued, __u64 cpu, __u64 pool, __u64 work)
{
	struct kp_queued_work *q = queued_place(work);
	__u64 who = bpf_get_current_pid_tgid();

	q->work = work;
	q->queued_ns = bpf_ktime_get_ns();
	q->by_pid = who >> 32;
	q->by_tid = who;
	q->ctx = queue_context(kp_this_cpu());
	return 0;
}

SEC("raw_tp/workqueue_execute_start")
int KP_PROG(SILENT, kp_work_begins, __u64 work)
{
	struct kp_queued_work *q = queued_place(work);
	__u32 tid = bpf_get_current_pid_tgid();
	struct kp_running_work *r = running_place(tid);

	if (r->tid && r->tid != tid) /* another's, which is not told then */
		kp_count_lost(KP_RING_EVENTS, KP_GROUP_kernel);
	r->tid = tid;
	r->begin_ns = bpf_ktime_get_ns();
	r->queued = *q;
	if (q->work != work)
		__builtin_memset(&r->queued, 0, sizeof(r->queued));
	r->queued.work = work;
	q->work = 0;
	return 0;
}

static __always_inline void fill_work(struct kp_ev_work *ev, const struct kp_running_work *r,
				      __u64 function)
{
	ev->queued_ns = r->queued.queued_ns;
	ev->begin_ns = r->begin_ns;
	ev->work = r->queued.work;
	ev->function = function;
	ev->by_pid = r->queued.by_pid;
	ev->by_tid = r->queued.by_tid;
	ev->ctx = r->queued.ctx;
	ev->pad = 0;
}

SEC("raw_tp/workqueue_execute_end")
int KP_PROG(kernel, kp_work_ended, __u64 work, __u64 function)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct kp_running_work *r = running_place(tid);
	__u64 since = r->queued.queued_ns ? r->queued.queued_ns : r->begin_ns;
	struct kp_ev_work *ev;

	if (r->tid != tid || r->queued.work != work)
		return 0;
	r->tid = 0;
	if (bpf_ktime_get_ns() - since < work_threshold_ns)
		return 0;
	kp_tell_function(function);
	ev = KP_EVENT(work, kernel, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	fill_work(ev, r, function);
	KP_COMMIT(ev);
	return 0;
}
