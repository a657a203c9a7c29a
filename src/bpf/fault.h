/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Waits in page faults. For what a task waits is known from the functions that it is in: their
 * names are looked up once for each address. That takes microseconds, but only where a task waits
 * anyway.
 */
#ifndef KP_BPF_FAULT_H
#define KP_BPF_FAULT_H

#include "bpf/emit.h"
#include "bpf/function.h"

#define KP_FRAME_CNT 24
#define KP_FRAME_SKIP 4 /* the program and what called it */

struct kp_fault_scratch {
	__u64 frames[KP_FRAME_CNT];
	struct kp_function function;
};

/* By user space: what is waited for in functions of these names. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KP_FAULT_FUNCTION_MAX);
	__type(key, struct kp_function);
	__type(value, __u32);
} fault_functions SEC(".maps");

/* The same by address, as far as it was looked up; KP_FAULT_unknown: of another function. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} fault_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kp_fault_scratch);
} fault_scratch SEC(".maps");

/* What is waited for in the function with that address, as KP_FAULT_. */
static __noinline __u32 kp_fault_in(struct kp_fault_scratch *scratch, __u64 address)
{
	__u32 *known = bpf_map_lookup_elem(&fault_addresses, &address), fault;

	if (known)
		return *known;
	kp_name_function(&scratch->function, address);
	known = bpf_map_lookup_elem(&fault_functions, &scratch->function);
	fault = known ? *known : KP_FAULT_unknown;
	bpf_map_update_elem(&fault_addresses, &address, &fault, BPF_ANY);
	return fault;
}

/* What the current task waits for. */
static __always_inline __u32 kp_what_fault(void *ctx)
{
	__u32 zero = 0, fault;
	struct kp_fault_scratch *scratch = bpf_map_lookup_elem(&fault_scratch, &zero);
	long len;

	if (!scratch)
		return KP_FAULT_unknown;
	len = bpf_get_stack(ctx, scratch->frames, sizeof(scratch->frames), KP_FRAME_SKIP);
	for (int i = 0; i < KP_FRAME_CNT; i++) {
		if (i * (long)sizeof(__u64) >= len)
			break;
		fault = kp_fault_in(scratch, scratch->frames[i]);
		if (fault != KP_FAULT_unknown)
			return fault;
	}
	return KP_FAULT_unknown;
}

/* Whether a task that leaves its CPU, and in no call, does so in a fault: exceptions have no number
 * either; it does not end, nor is it stopped. */
static __always_inline bool kp_in_fault(struct task_struct *prev, struct pt_regs *regs,
					__u32 prev_state)
{
	return (int)regs->orig_ax == -1 && prev->mm && !(prev->flags & (PF_KTHREAD | PF_EXITING)) &&
	       !(prev_state & (KP_TASK_STOPPED | KP_TASK_TRACED | KP_TASK_DEAD));
}

static __always_inline void kp_tell_fault(void *ctx, struct task_struct *prev, __u64 ip)
{
	__u32 fault = kp_what_fault(ctx);
	struct kp_ev_fault_wait *ev = KP_EVENT_FOR(fault_wait, sched, bpf_ktime_get_ns(), prev);

	if (!ev)
		return;
	ev->ip = ip;
	ev->fault = fault;
	ev->pad = 0;
	KP_COMMIT(ev);
}

#endif
