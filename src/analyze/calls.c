/* SPDX-License-Identifier: MIT
 *
 * Ingest of system calls, whichever way they were recorded: one record for each (the calls tier,
 * and the tasks selected for replay), or where a task waited in one, woke somebody from one, sent
 * or received (the waits tier). Of the second kind it is known at some moments only that the task
 * was in the call; its entry and exit in the model are the first and the last of them. Invariants
 * kept here:
 *  - calls of one task don't overlap, whatever the log says;
 *  - a record takes the place of what was seen within it, its sends too;
 *  - moments belong to one call only if nothing else is possible (see goes_on, is_same_wait).
 */
#include "analyze/ingest.h"
#include "event/syscall.h"

#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_LAST_ACK 9

bool kp_call_sends(const struct kp_call *call)
{
	return call->flags & (KP_CALLF_SENT | KP_CALLF_RECEIVED)
		       ? call->flags & KP_CALLF_SENT
		       : kp_syscall_has(call->nr, KP_TRAIT_SENDS);
}

bool kp_call_receives(const struct kp_call *call)
{
	return call->flags & (KP_CALLF_SENT | KP_CALLF_RECEIVED)
		       ? call->flags & KP_CALLF_RECEIVED
		       : kp_syscall_has(call->nr, KP_TRAIT_RECEIVES);
}

bool kp_call_on_socket(const struct kp_call *call)
{
	return call->obj == KP_OBJ_tcp || call->obj == KP_OBJ_udp || call->obj == KP_OBJ_unix ||
	       call->obj == KP_OBJ_sock;
}

uint64_t kp_call_due(const struct kp_call *call)
{
	return call->timeout_ms ? call->entry_ns + call->timeout_ms * 1000000ull : 0;
}

bool kp_call_waits_for_many(const struct kp_call *call)
{
	return kp_syscall_has(call->nr, KP_TRAIT_WAITS_MANY);
}

/* The socket of a call on TCP or UDP, by its number; else KP_NONE. 0 or -ENOMEM. */
static int sock_of(struct kp_model *m, uint8_t obj, uint64_t number, uint32_t *ret_sock)
{
	*ret_sock = KP_NONE;
	if ((obj != KP_OBJ_tcp && obj != KP_OBJ_udp) || !number)
		return 0;
	return kp_model_sock_get(m, number, ret_sock);
}

/* The event's task and the socket that it is about. 0 or -ENOMEM. */
static int find_ends(struct kp_model *m, const struct kp_hdr *hdr, uint8_t obj, uint64_t number,
		     uint32_t *ret_task, uint32_t *ret_sock)
{
	int r = kp_model_task_get(m, hdr->pid, hdr->tid, ret_task);

	return r < 0 ? r : sock_of(m, obj, number, ret_sock);
}

static struct kp_call *last_call(struct kp_task *t)
{
	return t->calls.cnt ? &t->calls.at[t->calls.cnt - 1] : NULL;
}

static int call_push(struct kp_model *m, struct kp_task *t, struct kp_call call)
{
	const struct kp_call *last;

	if (call.exit_ns < m->keep_from_ns) /* only the last one may still go on */
		t->calls.cnt = 0;
	last = last_call(t);
	if (last && call.entry_ns < last->exit_ns)
		call.entry_ns = last->exit_ns;
	if (call.exit_ns < call.entry_ns)
		call.exit_ns = call.entry_ns;
	return KP_VEC_PUSH(&t->calls, call);
}

static int send_push(struct kp_model *m, const struct kp_call *call, uint32_t task)
{
	struct kp_send send = {call->entry_ns, call->exit_ns, task, call->nr, call->sock};

	if (call->sock == KP_NONE || !kp_call_sends(call))
		return 0;
	if (call->nr == KP_NR_connect && KP_VEC_PUSH(&m->connects, send) < 0)
		return -ENOMEM;
	return KP_VEC_PUSH(&m->socks.at[call->sock].sends, send);
}

static int arming_push(struct kp_model *m, const struct kp_call *call, uint32_t task)
{
	struct kp_arming arming = {call->entry_ns, call->exit_ns, call->arg0, task};

	if (call->nr != KP_NR_timerfd_settime || call->ret < 0)
		return 0;
	return KP_VEC_PUSH(&m->armings, arming);
}

/* --- records --- */

/* Drops the moments of a call whose record comes now. Whether it was seen to send. */
static bool drop_moments(struct kp_task *t, uint64_t entry_ns)
{
	struct kp_call *last;
	bool sent = false;

	while ((last = last_call(t)) && (last->flags & KP_CALLF_SEEN) &&
	       last->entry_ns >= entry_ns) {
		sent |= last->flags & KP_CALLF_SENT;
		t->calls.cnt--;
	}
	return sent;
}

/* The first of the sends that a call was seen to do begins with the call. False: they are of
 * another socket. */
static bool widen_sends(struct kp_model *m, const struct kp_call *call, uint32_t task)
{
	struct kp_send *first = NULL;
	struct kp_sock *sock;

	if (call->sock == KP_NONE)
		return false;
	sock = &m->socks.at[call->sock];
	for (uint32_t i = sock->sends.cnt; i-- > 0;) {
		if (sock->sends.at[i].exit_ns < call->entry_ns)
			break;
		if (sock->sends.at[i].task == task)
			first = &sock->sends.at[i];
	}
	if (first)
		first->entry_ns = call->entry_ns;
	return first;
}

int kp_model_on_syscall(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_syscall *e = (const void *)hdr;
	struct kp_call call = {
		.entry_ns = e->entry_ns < hdr->time_ns ? e->entry_ns : hdr->time_ns,
		.exit_ns = hdr->time_ns,
		.ret = e->ret,
		.arg0 = e->arg0,
		.arg1 = e->arg1,
		.ino = e->ino,
		.dev = e->dev,
		.nr = e->nr,
		.obj = e->obj,
	};
	struct kp_task *t;
	uint32_t task;
	bool sent;

	if (hdr->time_ns < m->keep_from_ns || !hdr->tid)
		return 0;
	if (find_ends(m, hdr, e->obj, e->sock, &task, &call.sock) < 0)
		return -ENOMEM;
	t = &m->tasks.at[task];
	sent = drop_moments(t, call.entry_ns);
	if (call_push(m, t, call) < 0)
		return -ENOMEM;
	if (arming_push(m, last_call(t), task) < 0)
		return -ENOMEM;
	return sent && widen_sends(m, last_call(t), task) ? 0 : send_push(m, last_call(t), task);
}

/* --- moments in a call --- */

/* Whether the task was last given its CPU when last ended, and has had no other change since. */
static bool is_since(const struct kp_task *t, const struct kp_call *last)
{
	const struct kp_rec *rec = t->recs.cnt ? &t->recs.at[t->recs.cnt - 1] : NULL;

	return rec && rec->kind == KP_REC_RUN && rec->t_ns == last->exit_ns;
}

/* Whether the last BLOCKED record, behind the last call, is a stop: a call that a signal without a
 * handler interrupts goes on behind it. */
static bool was_stopped(const struct kp_task *t, const struct kp_call *last)
{
	for (uint32_t i = t->recs.cnt; i-- > 0 && t->recs.at[i].t_ns >= last->exit_ns;)
		if (t->recs.at[i].kind == KP_REC_BLOCKED)
			return t->recs.at[i].aux & (KP_TASK_STOPPED | KP_TASK_TRACED);
	return false;
}

/* Whether the task blocks again in the call in which it blocked last. */
static bool is_same_wait(const struct kp_task *t, const struct kp_call *last,
			 const struct kp_call *call, bool stayed)
{
	if (!last || !(last->flags & KP_CALLF_SEEN) ||
	    last->flags & (KP_CALLF_SENT | KP_CALLF_RECEIVED))
		return false;
	if (call->nr == KP_NR_restart_syscall) /* the kernel's own word for it */
		return true;
	return call->nr == last->nr && call->arg0 == last->arg0 && call->arg1 == last->arg1 &&
	       ((stayed && is_since(t, last)) || was_stopped(t, last) ||
		(t->restarted_ns && t->restarted_ns >= last->exit_ns));
}

static uint32_t timeout_of(const struct kp_ev_wait *e)
{
	const uint64_t args[] = {e->arg0, e->arg1, e->arg2, e->arg3};
	const struct kp_syscall *row = kp_syscall_get(e->nr);
	int arg = row ? kp_syscall_arg(row, KP_ARG_MS) : -1;
	int32_t ms = arg >= 0 && arg < 4 ? (int32_t)args[arg] : 0;

	return ms > 0 ? (uint32_t)ms : 0;
}

int kp_model_on_wait(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_wait *e = (const void *)hdr;
	struct kp_call call = {
		.entry_ns = hdr->time_ns,
		.exit_ns = hdr->time_ns,
		.arg0 = e->arg0,
		.arg1 = e->arg1,
		.ino = e->ino,
		.dev = e->dev,
		.nr = e->nr,
		.timeout_ms = timeout_of(e),
		.obj = e->obj,
		.flags = KP_CALLF_SEEN | KP_CALLF_OPEN,
	};
	struct kp_call *last;
	struct kp_task *t;
	uint32_t task;

	if (!hdr->tid)
		return 0;
	if (find_ends(m, hdr, e->obj, e->sock, &task, &call.sock) < 0)
		return -ENOMEM;
	t = &m->tasks.at[task];
	last = last_call(t);
	if (is_same_wait(t, last, &call, e->flags & KP_WAITF_SAME)) {
		last->flags |= KP_CALLF_OPEN;
		return 0;
	}
	return call_push(m, t, call);
}

void kp_model_wait_ends(struct kp_task *t, uint64_t t_ns)
{
	struct kp_call *last = last_call(t);

	if (!last || !(last->flags & KP_CALLF_OPEN))
		return;
	last->flags &= (uint8_t)~KP_CALLF_OPEN;
	if (t_ns > last->exit_ns)
		last->exit_ns = t_ns;
}

/* Whether the task is still in its last call: each that moves bytes of a socket is told at its end,
 * and that one was not. */
static bool goes_on(const struct kp_call *last, const struct kp_call *call)
{
	return last && (last->flags & KP_CALLF_SEEN) &&
	       !(last->flags & (KP_CALLF_SENT | KP_CALLF_RECEIVED)) && last->nr == call->nr &&
	       call->ino && last->ino == call->ino && kp_call_on_socket(call);
}

/* One more moment in which the task was in a call. */
static int see(struct kp_model *m, struct kp_task *t, struct kp_call call)
{
	struct kp_call *last = last_call(t);

	if (!goes_on(last, &call))
		return call_push(m, t, call);
	if (call.exit_ns > last->exit_ns)
		last->exit_ns = call.exit_ns;
	if (last->sock == KP_NONE)
		last->sock = call.sock;
	last->ret = call.ret;
	last->flags = call.flags;
	return 0;
}

int kp_model_see_waker(struct kp_model *m, const struct kp_ev_sched_waking *e, uint32_t waker)
{
	struct kp_call call = {
		.entry_ns = e->hdr.time_ns,
		.exit_ns = e->hdr.time_ns,
		.ino = e->ino,
		.dev = e->dev,
		.sock = KP_NONE,
		.nr = e->nr,
		.obj = e->fobj,
		.flags = KP_CALLF_SEEN,
	};

	if (e->nr == KP_NR_NONE || !waker || e->hdr.time_ns < m->keep_from_ns)
		return 0;
	/* With a segment's receipt, the socket is the one that it woke. */
	if (!(e->ctx & KP_CTX_NET) && sock_of(m, e->fobj, e->sock, &call.sock) < 0)
		return -ENOMEM;
	return see(m, &m->tasks.at[waker], call);
}

_Static_assert(sizeof(struct kp_ev_sock_send) == sizeof(struct kp_ev_sock_recv),
	       "a send and a receive have the same members");

static int msg_push(struct kp_model *m, struct kp_msg msg)
{
	uint32_t i = m->msgs.cnt;

	if (i && msg.t1_ns < m->msgs.at[i - 1].t1_ns)
		msg.t1_ns = m->msgs.at[i - 1].t1_ns;
	if (KP_VEC_PUSH(&m->msgs, msg) < 0 || KP_VEC_PUSH(&m->tasks.at[msg.task].msgs, i) < 0)
		return -ENOMEM;
	return KP_VEC_PUSH(&m->socks.at[msg.sock].msgs, i);
}

/* flag: KP_CALLF_SENT or KP_CALLF_RECEIVED */
static int on_transfer(struct kp_model *m, const struct kp_hdr *hdr, uint8_t flag)
{
	const struct kp_ev_sock_send *e = (const void *)hdr;
	struct kp_call call = {
		.entry_ns = hdr->time_ns,
		.exit_ns = hdr->time_ns,
		.ret = e->len,
		.nr = e->nr,
		.obj = e->obj,
		.flags = KP_CALLF_SEEN | flag,
	};
	struct kp_msg msg = {.t1_ns = hdr->time_ns,
			     .is_end = !e->len,
			     .tcp_seq = e->tcp_seq,
			     .is_out = flag == KP_CALLF_SENT};
	const struct kp_call *last;

	if (hdr->time_ns < m->keep_from_ns || !hdr->tid)
		return 0;
	if (find_ends(m, hdr, e->obj, e->sock, &msg.task, &call.sock) < 0 ||
	    (e->sock && kp_model_sock_get(m, e->sock, &msg.sock) < 0))
		return -ENOMEM;
	call.ino = e->sock ? m->socks.at[msg.sock].ino : 0;
	if (see(m, &m->tasks.at[msg.task], call) < 0)
		return -ENOMEM;
	last = last_call(&m->tasks.at[msg.task]);
	msg.t0_ns = msg.is_out ? last->entry_ns : msg.t1_ns;
	if (e->sock && msg_push(m, msg) < 0)
		return -ENOMEM;
	return send_push(m, last, msg.task);
}

int kp_model_on_send(struct kp_model *m, const struct kp_hdr *hdr)
{
	return on_transfer(m, hdr, KP_CALLF_SENT);
}

int kp_model_on_recv(struct kp_model *m, const struct kp_hdr *hdr)
{
	return on_transfer(m, hdr, KP_CALLF_RECEIVED);
}

/* The task that runs connects a socket, or ends its stream; nr: KP_NR_connect or KP_NR_close. */
static int on_stream(struct kp_model *m, const struct kp_hdr *hdr, uint64_t sock, uint32_t nr)
{
	struct kp_call call = {.entry_ns = hdr->time_ns, .exit_ns = hdr->time_ns, .nr = nr};
	struct kp_msg end = {
		.t0_ns = hdr->time_ns, .t1_ns = hdr->time_ns, .is_out = true, .is_end = true};

	if (hdr->time_ns < m->keep_from_ns || !hdr->tid)
		return 0;
	if (find_ends(m, hdr, KP_OBJ_tcp, sock, &end.task, &call.sock) < 0)
		return -ENOMEM;
	end.sock = call.sock;
	if (nr == KP_NR_close && call.sock != KP_NONE && msg_push(m, end) < 0)
		return -ENOMEM;
	return send_push(m, &call, end.task);
}

int kp_model_on_tcp_state(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_tcp_state *e = (const void *)hdr;

	if (e->newstate == TCP_SYN_SENT)
		return on_stream(m, hdr, e->sock, KP_NR_connect);
	return e->newstate == TCP_FIN_WAIT1 || e->newstate == TCP_LAST_ACK
		       ? on_stream(m, hdr, e->sock, KP_NR_close)
		       : 0;
}

/* What ends a stream at once: the end that is closed with bytes unread or not to linger. */
int kp_model_on_tcp_reset(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_tcp_reset *e = (const void *)hdr;

	return e->dir == KP_PACKET_OUT && e->sock && !(e->ctx & KP_CTX_IRQ)
		       ? on_stream(m, hdr, e->sock, KP_NR_close)
		       : 0;
}

static int add_tier(struct kp_model *m, uint64_t t_ns, uint32_t tier, uint32_t groups)
{
	struct kp_tier_change change = {
		.t_ns = t_ns, .tier = tier, .absent = groups ? KP_GROUPS_DEFAULT & ~groups : 0};
	const struct kp_tier_change *last = m->tiers.cnt ? &m->tiers.at[m->tiers.cnt - 1] : NULL;

	if (last && last->tier == tier && last->absent == change.absent)
		return 0;
	return KP_VEC_PUSH(&m->tiers, change);
}

int kp_model_on_tier(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_tier *e = (const void *)hdr;

	/* The first is told a moment after the first events. */
	if (!m->tiers.cnt && add_tier(m, 0, e->why ? e->before : e->tier, e->groups) < 0)
		return -ENOMEM;
	return add_tier(m, hdr->time_ns, e->tier, e->groups);
}

/* Where not even switches were recorded nobody knows what tasks did. */
int kp_model_lose_untold(struct kp_model *m)
{
	struct kp_loss loss = {.group = KP_GROUP_sched, .cpu = KP_NONE};

	for (uint32_t i = 0; i < m->tiers.cnt; i++) {
		if (m->tiers.at[i].tier != KP_TIER_none)
			continue;
		loss.from_ns = m->tiers.at[i].t_ns;
		loss.to_ns = i + 1 < m->tiers.cnt ? m->tiers.at[i + 1].t_ns : KP_NEVER;
		if (KP_VEC_PUSH(&m->losses, loss) < 0)
			return -ENOMEM;
	}
	return 0;
}
