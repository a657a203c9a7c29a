// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Interrupts: which one a CPU serves (sched_waking wants to know), how long each took, and the
 * timers that hard interrupts run.
 */
#include "bpf/emit.h"

#define CLOCK_MONOTONIC 1
#define HRTIMER_BASE_MONOTONIC_SOFT 4 /* clock bases from here run in softirq */
#define SOFTIRQ_TIMER 1

const volatile __u64 irq_threshold_ns = 50000;

static __always_inline void add_sum(struct kp_cpu *c, __u32 slot, __u64 len_ns)
{
	struct kp_irq_sum *sum = &c->irq_sums[slot & (KP_IRQ_SUM_CNT - 1)];

	sum->count++;
	sum->total_ns += len_ns;
}

SEC("tp_btf/irq_handler_entry")
int KP_PROG(SILENT, kp_irq_entry)
{
	struct kp_cpu *c = kp_this_cpu();

	c->why[KP_WHY_HARDIRQ] = (struct kp_why){};
	c->irq_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int KP_PROG(irq, kp_irq_exit, int irq)
{
	struct kp_cpu *c = kp_this_cpu();
	__u64 now, begin = c->irq_ns;
	struct kp_ev_irq *ev;

	c->irq_ns = 0;
	c->why[KP_WHY_HARDIRQ] = (struct kp_why){};
	if (!begin)
		return 0;
	now = bpf_ktime_get_ns();
	add_sum(c, KP_IRQ_SUM_DEVICE, now - begin);
	if (!KP_TELLS(irq) || now - begin < irq_threshold_ns)
		return 0;
	ev = KP_EVENT(irq, irq, now);
	if (!ev)
		return 0;
	ev->entry_ns = begin;
	ev->vector = irq;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/softirq_entry")
int KP_PROG(SILENT, kp_softirq_entry, unsigned int vector)
{
	struct kp_cpu *c = kp_this_cpu();

	c->softirq = vector;
	/* Nothing but expired timers runs there; their due time is only known in ticks. */
	c->why[KP_WHY_SOFTIRQ] = (struct kp_why){.ctx = vector == SOFTIRQ_TIMER ? KP_CTX_TIMER : 0};
	if (kp_is_rt())
		c->softirq_tid = bpf_get_current_pid_tgid();
	c->softirq_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int KP_PROG(irq, kp_softirq_exit, unsigned int vector)
{
	struct kp_cpu *c = kp_this_cpu();
	__u64 now, begin = c->softirq_ns;
	struct kp_ev_softirq *ev;

	c->softirq_ns = 0;
	c->why[KP_WHY_SOFTIRQ] = (struct kp_why){};
	if (!begin)
		return 0;
	now = bpf_ktime_get_ns();
	add_sum(c, vector, now - begin);
	if (!KP_TELLS(irq) || now - begin < irq_threshold_ns)
		return 0;
	ev = KP_EVENT(softirq, irq, now);
	if (!ev)
		return 0;
	ev->entry_ns = begin;
	ev->vector = vector;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

/* The due time on CLOCK_MONOTONIC; other clocks are ahead of it by their base's offset. */
static __always_inline __u64 due_time(struct hrtimer *timer)
{
	return timer->_softexpires - timer->base->offset;
}

SEC("tp_btf/hrtimer_expire_entry")
int KP_PROG(SILENT, kp_hrtimer_entry, struct hrtimer *timer)
{
	struct kp_cpu *c = kp_this_cpu();

	if (timer->base->index >= HRTIMER_BASE_MONOTONIC_SOFT) {
		c->why[KP_WHY_SOFTIRQ] =
			(struct kp_why){.ctx = KP_CTX_TIMER, .obj = due_time(timer)};
		return 0;
	}
	c->hrtimer = 1;
	c->why[KP_WHY_HARDIRQ] = (struct kp_why){.ctx = KP_CTX_TIMER, .obj = due_time(timer)};
	return 0;
}

/* The timer's memory may be gone by now: which kind it was is known from the state. */
SEC("tp_btf/hrtimer_expire_exit")
int KP_PROG(SILENT, kp_hrtimer_exit, struct hrtimer *timer)
{
	struct kp_cpu *c = kp_this_cpu();

	if (c->hrtimer) {
		c->hrtimer = 0;
		c->why[KP_WHY_HARDIRQ] = (struct kp_why){};
	} else {
		c->why[KP_WHY_SOFTIRQ] = (struct kp_why){};
	}
	return 0;
}
