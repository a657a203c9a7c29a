// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Work items: what workers of the kernel do, and who queued it. An item's story is kept from its
 * being queued to its end in two tables; only a long one becomes an event. Of what is queued a
 * newer item takes an older one's place: it is not known then when it was. The programs are raw_tp,
 * to which addresses are numbers: the verifier of the others does not let an address be hashed.
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

/* Tells the log the name, if it does not have it or has not for some seconds. */
static __noinline int tell_function(__u64 address)
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
	return KP_PLACE(queued_works, kp_hash(0, work), 0);
}

/* Items run in interrupts too, in the middle of another's. */
static __always_inline struct kp_running_work *running(__u64 work, __u32 tid)
{
	struct kp_running_work *r;

	return KP_FIND(running_works, kp_hash(tid, work), r,
		       r->queued.work == work && r->tid == tid);
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
	__u32 tid = kp_runner();
	struct kp_running_work *r;

	r = KP_TAKE(running_works, kp_hash(tid, work), r, queued.work, work);
	if (q->work == work) {
		r->queued = *q;
	} else {
		__builtin_memset(&r->queued, 0, sizeof(r->queued));
		r->queued.work = work;
	}
	r->begin_ns = bpf_ktime_get_ns();
	r->tid = tid;
	q->work = 0;
	return 0;
}

static __always_inline void tell_work(const struct kp_running_work *r, __u64 function)
{
	struct kp_ev_work *ev = KP_EVENT(work, kernel, bpf_ktime_get_ns());

	if (!ev)
		return;
	ev->queued_ns = r->queued.queued_ns;
	ev->begin_ns = r->begin_ns;
	ev->work = r->queued.work;
	ev->function = function;
	ev->by_pid = r->queued.by_pid;
	ev->by_tid = r->queued.by_tid;
	ev->ctx = r->queued.ctx;
	ev->pad = 0;
	KP_COMMIT(ev);
}

SEC("raw_tp/workqueue_execute_end")
int KP_PROG(kernel, kp_work_ended, __u64 work, __u64 function)
{
	struct kp_running_work *r = running(work, kp_runner());
	__u64 since;

	if (!r)
		return 0;
	since = r->queued.queued_ns ? r->queued.queued_ns : r->begin_ns;
	if (bpf_ktime_get_ns() - since >= work_threshold_ns) {
		tell_function(function);
		tell_work(r, function);
	}
	r->tid = 0;
	r->queued.work = 0;
	return 0;
}
