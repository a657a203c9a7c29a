/* SPDX-License-Identifier: MIT
 * Synthetic streams of events: one line per event, fed to a model. Times are in microseconds. The
 * tid is the pid too, unless a test says otherwise.
 */
#ifndef TEST_ANALYZE_STREAM_H
#define TEST_ANALYZE_STREAM_H

#include <criterion/criterion.h>
#include <string.h>

#include "analyze/walk.h"

#define US 1000ull

static inline void feed(struct kp_model *m, void *event, uint16_t kind, uint32_t size, uint64_t us,
			uint16_t cpu, uint32_t tid)
{
	struct kp_hdr *hdr = event;

	*hdr = (struct kp_hdr){us * US, size, kind, cpu, tid, tid};
	cr_assert_eq(kp_model_add(m, hdr), 0);
}

#define FEED(m, name, us, cpu, tid, ...)                                \
	do {                                                            \
		struct kp_ev_##name ev_ = {__VA_ARGS__};                \
		feed(m, &ev_, KP_EV_##name, sizeof(ev_), us, cpu, tid); \
	} while (0)

/* prev leaves cpu in a state, next comes. */
static inline void sw(struct kp_model *m, uint64_t us, uint16_t cpu, uint32_t prev, uint32_t state,
		      uint32_t next)
{
	FEED(m, sched_switch, us, cpu, prev, .prev_state = state, .next_pid = next,
	     .next_tid = next);
}

static inline void wake(struct kp_model *m, uint64_t us, uint16_t cpu, uint32_t waker,
			uint32_t target, uint16_t target_cpu)
{
	FEED(m, sched_waking, us, cpu, waker, .target_pid = target, .target_tid = target,
	     .target_cpu = target_cpu, .nr = KP_NR_NONE);
}

static inline void wake_irq(struct kp_model *m, uint64_t us, uint16_t cpu, uint32_t bystander,
			    uint32_t target, uint8_t ctx, uint64_t obj)
{
	FEED(m, sched_waking, us, cpu, bystander, .target_pid = target, .target_tid = target,
	     .target_cpu = cpu, .ctx = ctx, .obj = obj, .nr = KP_NR_NONE);
}

struct ends {
	uint32_t laddr, raddr;
	uint16_t lport, rport;
};

static inline struct ends swapped(struct ends e)
{
	return (struct ends){e.raddr, e.laddr, e.rport, e.lport};
}

static inline uint64_t ino_of(uint64_t sock)
{
	return sock % 1000 + 1000;
}

/* Tells the socket with these ends and gives its number, which is always the same. */
static inline uint64_t tell_sock(struct kp_model *m, uint8_t obj, struct ends e)
{
	struct kp_ev_socket ev = {.netns = 1, .lport = e.lport, .rport = e.rport, .obj = obj};

	ev.sock = ((uint64_t)e.laddr * 31 + e.raddr * 7ull) << 8 ^ ((uint64_t)e.lport << 16) ^
		  e.rport ^ obj;
	ev.ino = ino_of(ev.sock);
	kp_addr_from_v4(ev.laddr, &e.laddr);
	kp_addr_from_v4(ev.raddr, &e.raddr);
	feed(m, &ev, KP_EV_socket, sizeof(ev), 0, KP_CPU_USER, 0);
	return ev.sock;
}

static inline void wake_net(struct kp_model *m, uint64_t us, uint16_t cpu, uint32_t bystander,
			    uint32_t target, struct ends e)
{
	FEED(m, sched_waking, us, cpu, bystander, .target_pid = target, .target_tid = target,
	     .target_cpu = cpu, .ctx = KP_CTX_SOFTIRQ | KP_CTX_NET, .softirq = 3,
	     .sock = tell_sock(m, KP_OBJ_tcp, e), .nr = KP_NR_NONE);
}

static inline void call(struct kp_model *m, uint64_t entry, uint64_t exit, uint32_t tid,
			uint16_t nr, uint8_t obj, int64_t ret)
{
	FEED(m, syscall, exit, 0, tid, .entry_ns = entry * US, .nr = nr, .obj = obj, .ret = ret,
	     .arg0 = 3);
}

static inline void call_tcp(struct kp_model *m, uint64_t entry, uint64_t exit, uint32_t tid,
			    uint16_t nr, struct ends e)
{
	FEED(m, syscall, exit, 0, tid, .entry_ns = entry * US, .nr = nr, .obj = KP_OBJ_tcp,
	     .ret = 1, .sock = tell_sock(m, KP_OBJ_tcp, e));
}

/* The task leaves its CPU 0 to wait in a call that has no record; flags: KP_WAITF_. */
static inline void wait_in(struct kp_model *m, uint64_t us, uint32_t tid, uint16_t nr, uint8_t obj,
			   uint8_t flags)
{
	FEED(m, wait, us, 0, tid, .nr = nr, .obj = obj, .arg0 = 3, .ino = obj ? 9 : 0,
	     .flags = flags);
	sw(m, us, 0, tid, KP_TASK_INTERRUPTIBLE, 0);
}

/* A waker in a call that has no record. */
static inline void wake_from(struct kp_model *m, uint64_t us, uint16_t cpu, uint32_t waker,
			     uint32_t target, uint16_t nr, uint8_t obj)
{
	FEED(m, sched_waking, us, cpu, waker, .target_pid = target, .target_tid = target, .nr = nr,
	     .fobj = obj, .ino = obj ? 8 : 0);
}

/* What a walk found, by kind and tid of the cause (0: none or idle). */
static inline uint64_t spent(const struct kp_walk *w, uint8_t kind, uint32_t tid)
{
	uint64_t ns = 0;
	const struct kp_piece *p;
	uint32_t cause;

	for (uint32_t i = 0; i < w->pieces.cnt; i++) {
		p = &w->pieces.at[i];
		cause = p->cause == KP_NONE ? 0 : w->model->tasks.at[p->cause].tid;
		if (p->kind == kind && cause == tid)
			ns += p->t1_ns - p->t0_ns;
	}
	return ns;
}

static inline struct kp_walk walk_of(struct kp_model *m, uint32_t tid, uint64_t t0, uint64_t t1)
{
	struct kp_walk w;

	cr_assert_eq(kp_walk_run(m, kp_model_task(m, tid, t0 * US), t0 * US, t1 * US, &w), 0);
	return w;
}

#endif
