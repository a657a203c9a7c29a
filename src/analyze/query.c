/* SPDX-License-Identifier: MIT
 * Questions to a finished model, all by binary search or along a short chain; see model.h.
 */
#include <string.h>

#include "analyze/model.h"

/* Searches that follow a chain of older objects give up after this many. */
#define CHAIN_MAX 4096
/* Freezes and thaws before a moment that are looked at for who wanted what holds then. */
#define FREEZE_MAX 64
/* Completions before a wake among which the one that caused it is looked for. */
#define COMPLETION_MAX 256
/* Sockets that have had the same ends, one after the other. */
#define PEERS_MAX 64
/* A send's end is told when the other end may have long received: so much later. */
#define SEND_SLACK_NS 2000000
/* Messages before a receipt among which the one that brought it is looked for. */
#define ORIGIN_MAX 256
/* A stop signal takes effect a moment after it was sent; other CPUs' clocks add a little. */
#define STOP_SLACK_NS 1000000

/* Number of elements whose time (the uint64_t at `offset`) is <= t_ns; list in order of it. */
static uint32_t upper_bound(const void *list, uint32_t cnt, size_t len, size_t offset,
			    uint64_t t_ns)
{
	uint32_t lo = 0, hi = cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (*(const uint64_t *)((const char *)list + mid * len + offset) <= t_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

#define UPPER_BOUND(vec, member, t_ns)                         \
	upper_bound((vec)->at, (vec)->cnt, sizeof(*(vec)->at), \
		    (size_t)((const char *)&(vec)->at->member - (const char *)(vec)->at), t_ns)

uint32_t kp_model_task(const struct kp_model *model, uint32_t tid, uint64_t t_ns)
{
	const uint64_t *newest = kp_map_get(&model->tids, tid);
	uint32_t i = newest ? (uint32_t)*newest : KP_NONE;

	while (i != KP_NONE && model->tasks.at[i].start_ns > t_ns &&
	       model->tasks.at[i].older != KP_NONE)
		i = model->tasks.at[i].older;
	return i;
}

const char *kp_model_comm(const struct kp_model *model, uint32_t task, uint64_t t_ns)
{
	uint32_t i;

	if (task >= model->tasks.cnt || model->tasks.at[task].name == KP_NONE)
		return NULL;
	i = model->tasks.at[task].name;
	while (model->names.at[i].t_ns > t_ns && model->names.at[i].older != KP_NONE)
		i = model->names.at[i].older;
	return model->names.at[i].comm;
}

bool kp_model_is_worker(const struct kp_model *model, uint32_t task, uint64_t t_ns)
{
	static const char name[] = "kworker/";
	const char *comm = kp_model_comm(model, task, t_ns);

	return comm && strncmp(comm, name, sizeof(name) - 1) == 0;
}

bool kp_model_is_kthread(const struct kp_model *model, uint32_t task, uint64_t t_ns)
{
	return model->tasks.at[task].kthread || kp_model_is_worker(model, task, t_ns);
}

bool kp_rec_idles(const struct kp_rec *rec)
{
	return rec->kind == KP_REC_BLOCKED && (rec->aux & (KP_TASK_INTERRUPTIBLE | KP_TASK_NOLOAD));
}

uint32_t kp_model_wakes_until(const struct kp_model *model, uint64_t t_ns)
{
	return model->wakes.cnt ? UPPER_BOUND(&model->wakes, t_ns, t_ns) : 0;
}

uint32_t kp_model_msgs_until(const struct kp_model *model, const kp_msg_list *list, uint64_t t_ns)
{
	uint32_t lo = 0, hi = list->cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (model->msgs.at[list->at[mid]].t1_ns <= t_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t kp_model_armings_until(const struct kp_model *model, uint64_t t_ns)
{
	return model->armings.cnt ? UPPER_BOUND(&model->armings, exit_ns, t_ns) : 0;
}

uint32_t kp_task_rec(const struct kp_task *task, uint64_t t_ns)
{
	return task->recs.cnt ? UPPER_BOUND(&task->recs, t_ns, t_ns) - 1 : KP_NONE;
}

const struct kp_call *kp_task_call(const struct kp_task *task, uint64_t t_ns)
{
	uint32_t i;

	if (!task->calls.cnt)
		return NULL;
	i = UPPER_BOUND(&task->calls, entry_ns, t_ns);
	if (i == 0 || task->calls.at[i - 1].exit_ns < t_ns)
		return NULL;
	return &task->calls.at[i - 1];
}

uint32_t kp_cpu_occupant(const struct kp_cpu *cpu, uint64_t t_ns)
{
	return cpu->occupants.cnt ? UPPER_BOUND(&cpu->occupants, t_ns, t_ns) - 1 : KP_NONE;
}

uint32_t kp_interval_find(const struct kp_interval *list, uint32_t cnt, uint64_t t_ns)
{
	return cnt ? upper_bound(list, cnt, sizeof(*list), offsetof(struct kp_interval, t1_ns),
				 t_ns)
		   : 0;
}

bool kp_model_hole(const struct kp_model *model, uint64_t from_ns, uint64_t to_ns)
{
	uint32_t i = kp_interval_find(model->holes.at, model->holes.cnt, from_ns);

	return i < model->holes.cnt && model->holes.at[i].t0_ns < to_ns;
}

/* Whether a socket has these ends. Families do not matter: a socket of IPv6 takes what one of IPv4
 * sends. */
static bool has_ends(const struct kp_sock *s, const struct kp_ends *ends, uint8_t obj)
{
	return s->is_told && s->obj == obj && s->lport == ends->lport && s->rport == ends->rport &&
	       kp_addr_same(s->laddr, ends->laddr) && kp_addr_same(s->raddr, ends->raddr);
}

/*
 * The socket on the other end at t_ns, if it is on this host: in the same network namespace, else
 * in another one with a send at all. start: KP_NONE, or the result before.
 */
static uint32_t peer_next(const struct kp_model *model, uint32_t sock, uint64_t t_ns,
			  uint32_t start)
{
	const struct kp_sock *s = &model->socks.at[sock];
	const struct kp_ends ends = kp_model_other_ends(model, s, t_ns);
	const uint64_t *first = kp_map_get(&model->ends_map, kp_ends_hash(&ends));
	uint32_t i = start != KP_NONE ? model->socks.at[start].next
		     : first          ? (uint32_t)*first
				      : KP_NONE;

	while (i != KP_NONE && (!s->is_told || !has_ends(&model->socks.at[i], &ends, s->obj)))
		i = model->socks.at[i].next;
	return i;
}

/* The send under way at t_ns, else the last that began before, on one socket. */
static const struct kp_send *send_at(const struct kp_sock *sock, uint64_t t_ns)
{
	const struct kp_send *best = NULL, *send;
	uint32_t i, begin;

	if (!sock->sends.cnt)
		return NULL;
	/* In the order of exit: those that end later stand behind; several threads may send. */
	begin = UPPER_BOUND(&sock->sends, exit_ns, t_ns);
	for (i = begin; i < sock->sends.cnt && i < begin + 16; i++) {
		send = &sock->sends.at[i];
		if (send->entry_ns <= t_ns && (!best || send->entry_ns > best->entry_ns))
			best = send;
	}
	return best ? best : begin > 0 ? &sock->sends.at[begin - 1] : NULL;
}

static const struct kp_send *connect_to(const struct kp_model *model, const struct kp_sock *sock,
					uint64_t t_ns)
{
	uint32_t i, n;
	const struct kp_send *c;
	const struct kp_sock *s;

	if (!model->connects.cnt)
		return NULL;
	i = UPPER_BOUND(&model->connects, exit_ns, t_ns);
	i = i + 16 < model->connects.cnt ? i + 16 : model->connects.cnt;
	for (n = 0; i-- > 0 && n < 256; n++) {
		c = &model->connects.at[i];
		s = &model->socks.at[c->sock];
		if (c->entry_ns <= t_ns && s->rport == sock->lport &&
		    (kp_addr_same(s->raddr, sock->laddr) || kp_addr_is_any(sock->laddr)))
			return c;
	}
	return NULL;
}

const struct kp_send *kp_model_peer_send(const struct kp_model *model, uint32_t sock, uint64_t t_ns)
{
	const struct kp_send *best = NULL, *send;
	const struct kp_sock *s;
	uint32_t peer = KP_NONE;
	bool is_best_near = false, is_near;
	int pass;

	if (sock == KP_NONE || !model->socks.at[sock].lport)
		return NULL;
	s = &model->socks.at[sock];
	if (!s->rport) /* a listening socket */
		return connect_to(model, s, t_ns);
	/* In time the same ends belong to one socket after another. */
	for (pass = 0; pass < PEERS_MAX && (peer = peer_next(model, sock, t_ns, peer)) != KP_NONE;
	     pass++) {
		send = send_at(&model->socks.at[peer], t_ns);
		is_near = model->socks.at[peer].netns == s->netns;
		if (!send || (is_best_near && !is_near))
			continue;
		if (!best || is_near > is_best_near || send->entry_ns > best->entry_ns) {
			best = send;
			is_best_near = is_near;
		}
	}
	return best;
}

const struct kp_send *kp_model_translated_send(const struct kp_model *model, uint32_t sock,
					       uint64_t t_ns)
{
	const struct kp_sock *s = &model->socks.at[sock], *other;
	const uint64_t *first;
	const struct kp_send *best = NULL, *send;
	uint32_t i, n;

	if (!s->lport || !s->rport || peer_next(model, sock, t_ns, KP_NONE) != KP_NONE)
		return NULL;
	first = kp_map_get(&model->remote_map, kp_sock_end_hash(s->laddr, s->lport));
	i = first ? (uint32_t)*first : KP_NONE;
	for (n = 0; i != KP_NONE && n < 64; n++, i = other->next_remote) {
		other = &model->socks.at[i];
		if (i == sock || other->obj != s->obj || other->rport != s->lport ||
		    !kp_addr_same(other->raddr, s->laddr))
			continue;
		send = send_at(other, t_ns);
		if (send && (!best || send->entry_ns > best->entry_ns))
			best = send;
	}
	return best;
}

/* Of a stream: whether what was sent reaches as far as what was received. */
static bool reaches(const struct kp_msg *sent, const struct kp_msg *received)
{
	return sent->is_out && (int32_t)(sent->tcp_seq - received->tcp_seq) >= 0;
}

/*
 * The message on a socket that brought what was received at its other end: by its position in the
 * stream the first that reaches so far, else the last that had begun.
 */
static const struct kp_msg *origin_on(const struct kp_model *m, const struct kp_sock *peer,
				      const struct kp_msg *received)
{
	uint32_t i = kp_model_msgs_until(m, &peer->msgs, received->t1_ns + SEND_SLACK_NS), n;
	const struct kp_msg *best = NULL, *msg;

	for (n = 0; i-- > 0 && n < ORIGIN_MAX; n++) {
		msg = &m->msgs.at[peer->msgs.at[i]];
		if (!msg->is_out || msg->t0_ns > received->t1_ns || msg->is_end != received->is_end)
			continue;
		if (!received->tcp_seq || !msg->tcp_seq)
			return msg;
		if (!reaches(msg, received))
			break;
		best = msg;
	}
	return best;
}

const struct kp_msg *kp_model_origin(const struct kp_model *model, const struct kp_msg *received)
{
	const struct kp_sock *s = &model->socks.at[received->sock];
	const struct kp_msg *best = NULL, *msg;
	uint32_t peer = KP_NONE;

	if (s->obj == KP_OBJ_unix)
		return s->peer != KP_NONE ? origin_on(model, &model->socks.at[s->peer], received)
					  : NULL;
	if (!s->lport || !s->rport)
		return NULL;
	for (int pass = 0; pass < PEERS_MAX; pass++) {
		peer = peer_next(model, received->sock, received->t1_ns, peer);
		if (peer == KP_NONE)
			break;
		msg = origin_on(model, &model->socks.at[peer], received);
		if (msg && (!best || msg->t0_ns > best->t0_ns))
			best = msg;
	}
	return best;
}

/* Whether a datagram socket that is connected to nobody is the other end of one that is. */
static bool is_open_end(const struct kp_model *model, uint32_t sock, uint64_t t_ns,
			const struct kp_sock *other)
{
	const struct kp_sock *s = &model->socks.at[sock];
	const struct kp_ends ends = kp_model_other_ends(model, s, t_ns);

	return s->obj == KP_OBJ_udp && other->obj == KP_OBJ_udp && other->is_told &&
	       !other->rport && other->lport == ends.lport &&
	       (kp_addr_is_any(other->laddr) || kp_addr_same(other->laddr, ends.laddr));
}

const struct kp_msg *kp_model_peer_msg(const struct kp_model *model, uint32_t sock, uint32_t task,
				       uint64_t t_ns)
{
	const kp_msg_list *list = &model->tasks.at[task].msgs;
	uint32_t i = kp_model_msgs_until(model, list, t_ns), peer = KP_NONE;
	const struct kp_msg *msg = i < list->cnt ? &model->msgs.at[list->at[i]] : NULL;

	if (!msg || msg->t1_ns > t_ns + SEND_SLACK_NS || !model->socks.at[sock].rport)
		return NULL;
	for (int pass = 0; pass < PEERS_MAX; pass++) {
		peer = peer_next(model, sock, t_ns, peer);
		if (peer == KP_NONE || peer == msg->sock)
			break;
	}
	return peer == msg->sock || is_open_end(model, sock, t_ns, &model->socks.at[msg->sock])
		       ? msg
		       : NULL;
}

uint32_t kp_model_unix_peer(const struct kp_model *model, uint64_t ino)
{
	const uint64_t *sock = ino ? kp_map_get(&model->unix_map, ino) : NULL;

	return sock ? model->socks.at[*sock].peer : KP_NONE;
}

bool kp_model_is_here(const struct kp_model *model, uint32_t sock)
{
	return kp_model_has_local(model, model->socks.at[sock].raddr);
}

bool kp_model_has_local(const struct kp_model *model, const kp_addr addr)
{
	const uint64_t *first = kp_map_get(&model->local_map, kp_sock_end_hash(addr, 0));
	uint32_t i = first ? (uint32_t)*first : KP_NONE;

	while (i != KP_NONE && !kp_addr_same(model->locals.at[i].addr, addr))
		i = model->locals.at[i].next;
	return i != KP_NONE;
}

uint32_t kp_model_retransmit(const struct kp_model *model, uint32_t sock, uint64_t from_ns,
			     uint64_t to_ns)
{
	const struct kp_sock *s = &model->socks.at[sock];
	const struct kp_ends ends = kp_model_other_ends(model, s, to_ns);
	uint32_t i, n, at;

	if (!model->retransmits.cnt || to_ns == 0)
		return KP_NONE;
	i = UPPER_BOUND(&model->retransmits, t_ns, to_ns - 1);
	for (n = 0; i-- > 0 && n < CHAIN_MAX && model->retransmits.at[i].t_ns >= from_ns; n++) {
		at = model->retransmits.at[i].sock;
		if (at == sock || (s->is_told && has_ends(&model->socks.at[at], &ends, s->obj)))
			return i;
	}
	return KP_NONE;
}

uint32_t kp_model_tier(const struct kp_model *model, uint64_t t_ns)
{
	uint32_t i = model->tiers.cnt;

	while (i-- > 0)
		if (model->tiers.at[i].t_ns <= t_ns)
			return i;
	return KP_NONE;
}

bool kp_model_tells_calls(const struct kp_model *model, uint64_t begin_ns, uint64_t end_ns)
{
	const struct kp_tier_change *at = model->tiers.at;
	uint32_t begin = kp_model_tier(model, begin_ns), end = kp_model_tier(model, end_ns);

	if (begin == KP_NONE || end == KP_NONE) /* the log says nothing of tiers */
		return true;
	if (at[end].tier < KP_TIER_waits)
		return false;
	/* A record comes at the call's end, word of a wait at its begin. */
	return at[begin].tier == KP_TIER_waits || (at[begin].tier == KP_TIER_calls && begin == end);
}

/* By its completion, which the wake follows at once. */
static uint32_t request_completed(const struct kp_model *model, uint64_t id, uint64_t t_ns)
{
	uint32_t i, n;

	if (!model->completions.cnt)
		return KP_NONE;
	i = UPPER_BOUND(&model->completions, t_ns, t_ns);
	for (n = 0; i-- > 0 && n < COMPLETION_MAX; n++)
		if (model->requests.at[model->completions.at[i].request].id == id)
			return model->completions.at[i].request;
	return KP_NONE;
}

uint32_t kp_model_request(const struct kp_model *model, uint64_t id, uint64_t t_ns)
{
	const uint64_t *newest = kp_map_get(&model->rq_map, id);
	uint32_t i = request_completed(model, id, t_ns), n;
	const struct kp_request *rq;

	if (i != KP_NONE || !newest)
		return i;
	i = (uint32_t)*newest;
	for (n = 0; i != KP_NONE && n < CHAIN_MAX; n++, i = rq->older) {
		rq = &model->requests.at[i];
		if ((rq->insert_ns || rq->issue_ns) &&
		    (rq->insert_ns ? rq->insert_ns : rq->issue_ns) <= t_ns)
			return i;
	}
	return KP_NONE;
}

const struct kp_signal *kp_model_stop_signal(const struct kp_model *model, uint32_t pid,
					     uint64_t t_ns)
{
	const uint64_t *newest = kp_map_get(&model->sig_map, pid);
	uint32_t i = newest ? (uint32_t)*newest : KP_NONE, n;

	for (n = 0; i != KP_NONE && n < CHAIN_MAX; n++, i = model->signals.at[i].older)
		if (model->signals.at[i].result != 1 &&
		    model->signals.at[i].t_ns <= t_ns + STOP_SLACK_NS)
			return &model->signals.at[i];
	return NULL;
}

/* Whether the group of the i-th goes on before the end-th. */
static bool is_over(const struct kp_model *model, uint32_t i, uint32_t end)
{
	const struct kp_freeze *list = model->freezes.at;

	for (uint32_t k = i + 1; k < end; k++)
		if (list[k].ends && list[k].cgroup == list[i].cgroup)
			return true;
	return false;
}

uint32_t kp_model_freezer(const struct kp_model *model, uint64_t t_ns)
{
	uint32_t end = model->freezes.cnt ? UPPER_BOUND(&model->freezes, t_ns, t_ns) : 0, n;
	uint32_t found = KP_NONE, i = end;

	for (n = 0; i-- > 0 && n < FREEZE_MAX; n++) {
		if (model->freezes.at[i].ends || is_over(model, i, end))
			continue;
		if (found != KP_NONE && found != model->freezes.at[i].task)
			return KP_NONE;
		found = model->freezes.at[i].task;
	}
	return found;
}

const struct kp_signal *kp_model_signal(const struct kp_model *model, uint32_t pid, uint32_t sender,
					uint64_t t_ns, uint64_t slack_ns)
{
	const struct kp_signal *s, *best = NULL;
	uint32_t i;

	if (!model->signals.cnt)
		return NULL;
	/* The event comes at the end of sending, never before the wake. */
	i = UPPER_BOUND(&model->signals, t_ns, t_ns + slack_ns);
	while (i-- > 0 && model->signals.at[i].t_ns >= t_ns) {
		s = &model->signals.at[i];
		if (s->sender == sender && s->target_pid == pid)
			best = s;
	}
	return best;
}
