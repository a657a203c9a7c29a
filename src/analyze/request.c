/* SPDX-License-Identifier: MIT
 * A request by its calls; see request.h.
 */
#include "analyze/request.h"

#include "analyze/traces.h"
#include "base/num.h"
#include "event/syscall.h"

/* A request's calls are looked for so far from the span's ends … */
#define NEAR_NS (KP_REQUEST_WHOLE_NS / 2)
/* … and so many of them, the nearest, at each end. */
#define NEAR_MAX 8
#define SCAN_MAX 4096
/* Calls of different connections make a pair only so much worse than those of one. */
#define OTHER_SOCKET_NS 1000000

static bool same_socket(const struct kp_call *a, const struct kp_call *b)
{
	if (a->ino || b->ino) /* all sockets are of one device */
		return a->ino == b->ino;
	return a->sock != KP_NONE && a->sock == b->sock;
}

struct near {
	const struct kp_call *call[NEAR_MAX];
	uint64_t ns[NEAR_MAX]; /* how far, nearest first */
	unsigned cnt;
};

static void near_add(struct near *near, const struct kp_call *call, uint64_t ns)
{
	unsigned i = near->cnt;

	if (ns > NEAR_NS || (i == NEAR_MAX && ns >= near->ns[i - 1]))
		return;
	if (i == NEAR_MAX)
		i--;
	else
		near->cnt++;
	for (; i > 0 && near->ns[i - 1] > ns; i--) {
		near->ns[i] = near->ns[i - 1];
		near->call[i] = near->call[i - 1];
	}
	near->ns[i] = ns;
	near->call[i] = call;
}

/* Sends that begin, or receives that end with something, near t_ns. */
static void find_near(const struct kp_task *task, uint64_t t_ns, bool sends, struct near *near)
{
	uint32_t a = 0, b = task->calls.cnt, mid;
	const struct kp_call *call;

	near->cnt = 0;
	while (a < b) { /* first call that ends near or later */
		mid = a + (b - a) / 2;
		if (task->calls.at[mid].exit_ns + NEAR_NS < t_ns)
			a = mid + 1;
		else
			b = mid;
	}
	for (b = 0; a < task->calls.cnt && b < SCAN_MAX; a++, b++) {
		call = &task->calls.at[a];
		if (call->entry_ns > t_ns + NEAR_NS)
			return;
		if (!kp_call_on_socket(call) || call->ret <= 0)
			continue;
		if (sends ? kp_call_sends(call) : kp_call_receives(call))
			near_add(near, call,
				 kp_apart64(sends ? call->entry_ns : call->exit_ns, t_ns));
	}
}

/* How far the best pair of calls is from the span's ends; KP_NEVER: there is no such call. */
static uint64_t pair_cost(const struct kp_task *task, uint64_t t0_ns, uint64_t t1_ns, bool serves)
{
	struct near begin, end;
	uint64_t cost, best = KP_NEVER;

	find_near(task, t0_ns, !serves, &begin);
	find_near(task, t1_ns, serves, &end);
	for (unsigned i = 0; i < begin.cnt; i++)
		for (unsigned k = 0; k < end.cnt; k++) {
			cost = begin.ns[i] + end.ns[k];
			if (!same_socket(begin.call[i], end.call[k]))
				cost = 2 * cost + OTHER_SOCKET_NS;
			best = cost < best ? cost : best;
		}
	if (best == KP_NEVER && begin.cnt + end.cnt)
		best = 4 * NEAR_NS + (begin.cnt ? begin.ns[0] : end.ns[0]);
	return best;
}

uint64_t kp_request_cost(const struct kp_task *task, uint64_t t0_ns, uint64_t t1_ns, uint8_t kind)
{
	uint64_t serving = KP_NEVER, calling = KP_NEVER;

	if (kind != KP_SPAN_CLIENT && kind != KP_SPAN_PRODUCER)
		serving = pair_cost(task, t0_ns, t1_ns, true);
	if (kind != KP_SPAN_SERVER && kind != KP_SPAN_CONSUMER)
		calling = pair_cost(task, t0_ns, t1_ns, false);
	return serving < calling ? serving : calling;
}
