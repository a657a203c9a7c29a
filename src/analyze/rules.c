/* SPDX-License-Identifier: MIT
 *
 * The rules, one row each; see rules.h. Who runs when the interrupt bits are set is only a
 * bystander: such a wake is explained by its object (request, due time, socket), never by the
 * header's task alone.
 */
#include "analyze/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "analyze/armed.h"
#include "analyze/path.h"
#include "analyze/sender.h"
#include "base/num.h"
#include "event/syscall.h"

/* A signal's event comes within this of the wake that it causes. */
#define SIGNAL_SLACK_NS 200000
#define SOFTIRQ_TIMER 1
#define SOFTIRQ_NET_RX 3
#define SOFTIRQ_BLOCK 4
#define SOFTIRQ_HRTIMER 8

static bool is_obj(const struct kp_call *call, uint8_t obj)
{
	return call && call->obj == obj;
}

static bool on_file(const struct kp_call *call)
{
	return call && (call->obj == KP_OBJ_file || call->obj == KP_OBJ_dir ||
			call->obj == KP_OBJ_blk || kp_syscall_has(call->nr, KP_TRAIT_SYNCS));
}

static bool uninterruptible(const struct kp_blocked *b)
{
	return b->rec->aux & KP_TASK_UNINTERRUPTIBLE;
}

static bool by_irq(const struct kp_blocked *b)
{
	return b->wake && (b->wake->ctx & KP_CTX_IRQ);
}

static bool by_softirq(const struct kp_blocked *b, unsigned vector)
{
	return by_irq(b) && (b->wake->ctx & KP_CTX_SOFTIRQ) && b->wake->softirq == vector;
}

/* A task that can be followed woke it. */
static bool by_task(const struct kp_blocked *b)
{
	return b->wake && !(b->wake->ctx & KP_CTX_IRQ) && b->wake->waker != 0 &&
	       b->wake->waker != b->task;
}

/* Whether its maker waits for the child that it makes; of clone3 the log does not tell. */
static bool lends_memory(const struct kp_call *call)
{
	return call->nr == KP_NR_vfork || call->nr == KP_NR_clone3 ||
	       (call->nr == KP_NR_clone && call->arg0 & CLONE_VFORK);
}

bool kp_call_waits(const struct kp_call *call)
{
	const uint32_t named = KP_TRAIT_WAITS | KP_TRAIT_WAITS_MANY | KP_TRAIT_WAITS_CHILD |
			       KP_TRAIT_WAITS_FUTEX | KP_TRAIT_SLEEPS;

	if (kp_syscall_has(call->nr, KP_TRAIT_FORKS))
		return lends_memory(call);
	if (call->nr == KP_NR_fcntl)
		return call->arg1 == F_SETLKW || call->arg1 == F_OFD_SETLKW;
	if (kp_syscall_has(call->nr, named))
		return true;
	return kp_syscall_has(call->nr, KP_TRAIT_WAITS_OBJ) &&
	       (call->obj == KP_OBJ_pipe || call->obj == KP_OBJ_chr || call->obj == KP_OBJ_anon ||
		kp_call_on_socket(call));
}

/* --- how time is given out --- */

/* That the task waited on in the same call was not recorded, but seen from several moments. A grade
 * less where another rule might have held, had more been recorded. */
static char at_best(char confidence, const struct kp_blocked *b)
{
	if (b->prev_wake_ns && (b->call->flags & KP_CALLF_SEEN) && confidence < 'B')
		confidence = 'B';
	return b->is_unsure && confidence < 'C' ? (char)(confidence + 1) : confidence;
}

static struct kp_piece piece_of(const struct kp_rule *rule, const struct kp_blocked *b,
				uint8_t kind)
{
	return (struct kp_piece){.t0_ns = b->lo,
				 .t1_ns = b->hi,
				 .obj = KP_NO_OBJ,
				 .task = b->task,
				 .cause = KP_NONE,
				 .wait = b->wait,
				 .kind = kind,
				 .confidence = at_best(rule->confidence, b)};
}

static uint32_t push_wait(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b, uint32_t waker, char confidence)
{
	return kp_walk_wait(walk, (struct kp_wait){.t0_ns = b->lo,
						   .t1_ns = b->hi,
						   .wake_ns = b->wake ? b->wake->t_ns : b->hi,
						   .prev_wake_ns = b->prev_wake_ns,
						   .rule = rule,
						   .call = b->call,
						   .wake_call = b->wake_call,
						   .task = b->task,
						   .waker = waker,
						   .parent = b->wait,
						   .confidence = at_best(confidence, b)});
}

/* [lo, hi) by the task that at at_ns did what was waited for. */
static void follow(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint64_t at_ns,
		   uint32_t wait)
{
	if (kp_model_is_kthread(walk->model, task, at_ns))
		kp_walk_worker(walk, task, lo, hi, at_ns, wait);
	else
		kp_walk_task(walk, task, lo, hi, wait);
}

static void follow_waker(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b)
{
	uint32_t wait = push_wait(walk, rule, b, b->wake->waker, rule->confidence);

	follow(walk, b->wake->waker, b->lo, b->hi, b->wake->t_ns, wait);
}

/* A worker that wakes another hands on what somebody else queued. */
static void follow_giver(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b)
{
	uint32_t waker = b->wake->waker;
	bool is_handed = kp_model_is_worker(walk->model, waker, b->wake->t_ns);
	uint32_t wait = push_wait(walk, rule, b, waker, is_handed ? 'C' : rule->confidence);

	follow(walk, waker, b->lo, b->hi, b->wake->t_ns, wait);
}

/* Whoever sent to this end of a socket of the host's own, in its own context. */
static void explain_local(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	uint32_t wait = push_wait(walk, rule, b, b->wake->waker, rule->confidence);
	uint32_t sock = is_obj(b->call, KP_OBJ_unix) ? kp_model_unix_peer(walk->model, b->call->ino)
						     : KP_NONE;

	if (sock == KP_NONE)
		follow(walk, b->wake->waker, b->lo, b->hi, b->wake->t_ns, wait);
	else
		kp_path_walk(walk, b->wake->waker, sock, b->lo, b->hi, wait);
}

static void explain_stopped(struct kp_walk *walk, const struct kp_rule *rule,
			    const struct kp_blocked *b)
{
	const struct kp_model *m = walk->model;
	struct kp_piece piece = piece_of(rule, b, KP_B_stopped);
	const struct kp_signal *sig =
		kp_model_stop_signal(m, m->tasks.at[b->task].pid, b->begin_ns);

	if (b->rec->aux & KP_TASK_TRACED) {
		piece.cause = by_task(b) ? b->wake->waker : KP_NONE;
	} else if (sig) {
		piece.obj = (uint64_t)(sig - m->signals.at);
		piece.cause = sig->sender ? sig->sender : KP_NONE;
	} else {
		piece.confidence = 'B';
	}
	kp_walk_emit(walk, piece);
}

static void explain_frozen(struct kp_walk *walk, const struct kp_rule *rule,
			   const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_stopped);

	/* With a group of version 1, or the whole machine, it waits otherwise, and the log does not
	 * tell for whom. */
	if (b->rec->aux & KP_TASK_INTERRUPTIBLE)
		piece.cause = kp_model_freezer(walk->model, b->begin_ns);
	else if (piece.confidence < 'B')
		piece.confidence = 'B';
	piece.detail = KP_D_frozen;
	kp_walk_emit(walk, piece);
}

static void explain_timer(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_timer);
	uint64_t due = b->wake->obj;

	piece.cause = b->task;
	if (kp_armed_is_unknown(b)) {
		piece.confidence = 'C';
		piece.detail = KP_D_timerfd;
	}
	if (b->wake->ctx & KP_CTX_TIMER && due)
		piece.t1_ns = kp_clamp64(due, b->lo, b->hi);
	else if (piece.confidence < 'B') /* no due time, so no lateness to tell */
		piece.confidence = 'B';
	kp_walk_emit(walk, piece);
	piece.t0_ns = piece.t1_ns;
	piece.t1_ns = b->hi;
	piece.detail = KP_D_late;
	kp_walk_emit(walk, piece);
}

/* A sleep only since the timerfd was set. */
static void explain_armed(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	const struct kp_arming *arming = kp_armed_in(walk->model, b); /* match said yes */
	struct kp_blocked rest = *b;
	uint32_t wait = push_wait(walk, rule, b, arming->task, rule->confidence);

	rest.lo = kp_clamp64(arming->entry_ns, b->lo, b->hi);
	follow(walk, arming->task, b->lo, rest.lo, arming->entry_ns, wait);
	explain_timer(walk, rule, &rest);
}

/* Nobody slept: what the task waited for did not come, and a timer ended the wait. */
static void explain_timeout(struct kp_walk *walk, const struct kp_rule *rule,
			    const struct kp_blocked *b)
{
	bool has_peer = b->call->sock != KP_NONE;
	struct kp_piece piece = piece_of(rule, b, has_peer ? KP_B_network : KP_B_blocked);

	if (has_peer)
		piece.obj = b->call->sock;
	else
		piece.cause = b->task;
	if (b->call->flags & KP_CALLF_SEEN)
		piece.confidence = 'C'; /* what the call gave is not known */
	piece.detail = KP_D_timeout;
	kp_walk_emit(walk, piece);
}

static void explain_slept(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_timer);

	piece.cause = b->task;
	kp_walk_emit(walk, piece);
}

/* The device of the file that the call is on. */
static uint64_t device_of(const struct kp_blocked *b)
{
	return b->call && on_file(b->call) && b->call->dev ? KP_OBJ_DEV | b->call->dev : KP_NO_OBJ;
}

static void explain_dirty(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_disk);

	piece.cause = b->task;
	piece.obj = device_of(b);
	piece.detail = KP_D_dirty;
	kp_walk_emit(walk, piece);
}

/* [piece.t0, piece.t1) of a request: what the device finished meanwhile, then the rest. */
static void split_shared(struct kp_walk *walk, struct kp_piece piece, const struct kp_request *rq)
{
	const struct kp_model *m = walk->model;
	const struct kp_completion *done = m->completions.at;
	uint32_t lo = 0, hi = m->completions.cnt, mid;
	const struct kp_request *other;
	struct kp_piece part = piece;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (done[mid].t_ns <= piece.t0_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < m->completions.cnt && done[lo].t_ns < piece.t1_ns; lo++) {
		walk->work++;
		other = &m->requests.at[done[lo].request];
		if (other == rq || other->dev != rq->dev || done[lo].t_ns <= part.t0_ns)
			continue;
		part.t1_ns = done[lo].t_ns;
		part.cause = other->task ? other->task : KP_NONE;
		part.obj = done[lo].request;
		if (part.detail == KP_D_none)
			part.detail = KP_D_shared;
		if (part.confidence < 'B')
			part.confidence = 'B';
		kp_walk_emit(walk, part);
		part = piece;
		part.t0_ns = done[lo].t_ns;
	}
	part.t1_ns = piece.t1_ns;
	kp_walk_emit(walk, part);
}

/* Waiting for a request: before it existed, in its queue, on the device, until it was noticed. */
static void explain_request(struct kp_walk *walk, const struct kp_rule *rule,
			    const struct kp_blocked *b, uint8_t kind)
{
	const struct kp_model *m = walk->model;
	uint32_t i = (b->wake->ctx & KP_CTX_BLOCK)
			     ? kp_model_request(m, b->wake->obj, b->wake->t_ns)
			     : KP_NONE;
	struct kp_piece piece = piece_of(rule, b, kind);
	const struct kp_request *rq;
	uint64_t begin, issue, done;
	struct kp_blocked before = *b;
	uint32_t wait;

	if (i == KP_NONE) {
		piece.obj = device_of(b);
		piece.confidence = 'C';
		kp_walk_emit(walk, piece);
		return;
	}
	rq = &m->requests.at[i];
	piece.obj = i;
	piece.cause = rq->task ? rq->task : KP_NONE;
	if (!rq->insert_ns && !rq->issue_ns) {
		piece.detail = KP_D_flush;
		piece.confidence = 'B';
		kp_walk_emit(walk, piece);
		return;
	}
	begin = kp_clamp64(rq->insert_ns ? rq->insert_ns : rq->issue_ns, b->lo, b->hi);
	issue = kp_clamp64(rq->issue_ns, begin, b->hi);
	done = kp_clamp64(rq->complete_ns ? rq->complete_ns : b->hi, issue, b->hi);
	before.hi = begin;
	if (begin > b->lo && rq->task && rq->task != b->task) {
		wait = push_wait(walk, rule, &before, rq->task, 'B');
		follow(walk, rq->task, b->lo, begin, begin, wait);
	} else {
		piece.t1_ns = begin;
		piece.confidence = 'B';
		kp_walk_emit(walk, piece);
		piece.confidence = at_best(rule->confidence, b);
	}
	piece.t0_ns = begin;
	piece.t1_ns = issue;
	piece.detail = KP_D_queued;
	split_shared(walk, piece, rq);
	piece.t0_ns = issue;
	piece.t1_ns = done;
	piece.detail = KP_D_none;
	split_shared(walk, piece, rq);
	piece.t0_ns = done;
	piece.t1_ns = b->hi;
	kp_walk_emit(walk, piece);
}

static void explain_disk(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b)
{
	explain_request(walk, rule, b, KP_B_disk);
}

static void explain_fault(struct kp_walk *walk, const struct kp_rule *rule,
			  const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_fault);

	if (by_irq(b)) {
		explain_request(walk, rule, b, KP_B_fault);
		return;
	}
	piece.cause = b->task;
	piece.obj = device_of(b);
	kp_walk_emit(walk, piece);
}

/* --- network --- */

static uint8_t detail_of(const struct kp_retransmit *r)
{
	static const uint8_t details[] = {[KP_RETRANSMIT_unknown] = KP_D_none,
					  [KP_RETRANSMIT_rto] = KP_D_rto,
					  [KP_RETRANSMIT_tlp] = KP_D_tlp,
					  [KP_RETRANSMIT_fast] = KP_D_fast,
					  [KP_RETRANSMIT_loss] = KP_D_loss};

	return r->why < sizeof(details) ? details[r->why] : KP_D_none;
}

void kp_walk_transport(struct kp_walk *walk, struct kp_piece piece, uint32_t sock)
{
	const struct kp_model *m = walk->model;
	struct kp_piece loss = piece;
	uint32_t r = KP_NONE;

	if (sock != KP_NONE) {
		loss.obj = piece.obj = sock;
		r = kp_model_retransmit(m, sock, piece.t0_ns, piece.t1_ns);
	}
	if (r != KP_NONE) {
		loss.kind = KP_B_retransmit;
		loss.detail = detail_of(&m->retransmits.at[r]);
		piece.t0_ns = kp_clamp64(m->retransmits.at[r].t_ns, loss.t0_ns, loss.t1_ns);
		loss.t1_ns = piece.t0_ns;
		kp_walk_emit(walk, loss);
	}
	kp_walk_emit(walk, piece);
}

static void emit_transport(struct kp_walk *walk, const struct kp_rule *rule,
			   const struct kp_blocked *b, uint64_t lo, uint32_t wait)
{
	const struct kp_model *m = walk->model;
	struct kp_piece piece = piece_of(rule, b, KP_B_network);
	uint32_t sock = b->wake ? kp_sender_sock(m, b) : KP_NONE;

	if (sock == KP_NONE && b->call)
		sock = b->call->sock;
	piece.t0_ns = lo;
	piece.wait = wait;
	kp_walk_transport(walk, piece, sock);
}

static void explain_sender(struct kp_walk *walk, const struct kp_rule *rule,
			   const struct kp_blocked *b)
{
	struct kp_send send = {0};
	uint64_t sent;
	uint32_t wait;

	if (!kp_sender_find(walk, b, &send)) /* match said yes */
		return;
	/* While the call that sent it goes on, its task is what we wait for. */
	sent = send.exit_ns >= b->wake->t_ns ? b->hi : kp_clamp64(send.exit_ns, b->lo, b->hi);
	wait = push_wait(walk, rule, b, send.task,
			 kp_sender_is_sure(walk->model, b) ? rule->confidence : 'B');
	kp_path_walk(walk, send.task, send.sock, b->lo, sent, wait);
	emit_transport(walk, rule, b, sent, wait);
}

static void explain_network(struct kp_walk *walk, const struct kp_rule *rule,
			    const struct kp_blocked *b)
{
	emit_transport(walk, rule, b, b->lo, b->wait);
}

/* The network is fast within a host: most of the time is somebody's who was not found. */
static void explain_here(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_network);
	uint32_t sock = kp_sender_told_sock(walk->model, b);

	if (sock != KP_NONE)
		piece.obj = sock;
	piece.detail = KP_D_here;
	kp_walk_emit(walk, piece);
}

static void explain_lock(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_lock);

	piece.obj = b->call->arg0;
	piece.detail = KP_D_unended;
	kp_walk_emit(walk, piece);
}

static void emit_blocked(struct kp_walk *walk, const struct kp_rule *rule,
			 const struct kp_blocked *b, uint8_t detail)
{
	struct kp_piece piece = piece_of(rule, b, KP_B_blocked);

	piece.detail = detail;
	kp_walk_emit(walk, piece);
}

static void explain_blocked(struct kp_walk *walk, const struct kp_rule *rule,
			    const struct kp_blocked *b)
{
	emit_blocked(walk, rule, b, b->wake ? KP_D_none : KP_D_unended);
}

static void explain_inside(struct kp_walk *walk, const struct kp_rule *rule,
			   const struct kp_blocked *b)
{
	emit_blocked(walk, rule, b, KP_D_inside);
}

static void explain_cut(struct kp_walk *walk, const struct kp_rule *rule,
			const struct kp_blocked *b)
{
	emit_blocked(walk, rule, b, KP_D_stop);
}

/* --- when a rule holds --- */

static bool is_cut(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return b->is_cut;
}

static bool is_frozen(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return b->rec->flags & KP_RECF_FROZEN;
}

static bool is_stopped(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return b->rec->aux & (KP_TASK_STOPPED | KP_TASK_TRACED);
}

/* A kernel thread without work, on the way from one who waited for it. */
static bool is_idle(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return walk->depth > 1 && b->wake && kp_rec_idles(b->rec) &&
	       kp_model_is_kthread(walk->model, b->task, b->wake->t_ns);
}

static bool is_given(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return is_idle(walk, b) && by_task(b);
}

static bool is_fault(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return (b->rec->flags & KP_RECF_MAJOR) && uninterruptible(b) && !b->call && !b->is_unsure;
}

static bool is_dirty(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_irq(b) && (b->wake->ctx & KP_CTX_TIMER || by_softirq(b, SOFTIRQ_TIMER)) &&
	       uninterruptible(b) && on_file(b->call);
}

bool kp_wake_is_timer(const struct kp_wake *wake)
{
	bool by_vector = wake->ctx & KP_CTX_SOFTIRQ &&
			 (wake->softirq == SOFTIRQ_TIMER || wake->softirq == SOFTIRQ_HRTIMER);

	return wake->ctx & KP_CTX_IRQ && !(wake->ctx & (KP_CTX_BLOCK | KP_CTX_NET)) &&
	       (wake->ctx & KP_CTX_TIMER || by_vector);
}

static bool is_timer(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return b->wake && kp_wake_is_timer(b->wake);
}

static bool is_armed(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return is_timer(walk, b) && kp_armed_in(walk->model, b);
}

/* For whom the timer was, is not known. */
static bool is_later(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return is_idle(walk, b) && is_timer(walk, b);
}

/* SO_RCVTIMEO, SO_SNDTIMEO: socket(7) has the errors. */
static bool is_timeout(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return b->call && is_timer(walk, b) && kp_call_on_socket(b->call) &&
	       kp_call_waits(b->call) &&
	       (b->call->flags & KP_CALLF_SEEN || b->call->ret == -EAGAIN ||
		b->call->ret == -EINPROGRESS);
}

static bool is_disk(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_irq(b) &&
	       ((b->wake->ctx & KP_CTX_BLOCK) || by_softirq(b, SOFTIRQ_BLOCK) ||
		(!(b->wake->ctx & KP_CTX_NET) && !by_softirq(b, SOFTIRQ_NET_RX) &&
		 uninterruptible(b) && (on_file(b->call) || (b->rec->flags & KP_RECF_IOWAIT))));
}

static bool is_net(const struct kp_blocked *b)
{
	return by_irq(b) && ((b->wake->ctx & KP_CTX_NET) || by_softirq(b, SOFTIRQ_NET_RX));
}

/* What the request itself waited for there is known by its messages. */
static bool is_for_others(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return walk->serving && walk->model->tasks.at[b->task].pid == walk->serving && b->wake &&
	       b->call && kp_call_waits_for_many(b->call) &&
	       (is_net(b) ||
		(by_task(b) && walk->model->tasks.at[b->wake->waker].pid != walk->serving));
}

static bool is_sender(const struct kp_walk *walk, const struct kp_blocked *b)
{
	struct kp_send send;

	return is_net(b) && kp_sender_find(walk, b, &send);
}

/* From an address of this host, or in the middle of a send that another socket's bytes left by. */
static bool is_here(const struct kp_walk *walk, const struct kp_blocked *b)
{
	const struct kp_model *m = walk->model;
	const struct kp_call *call;
	uint32_t sock;

	if (!is_net(b))
		return false;
	sock = kp_sender_told_sock(m, b);
	if (sock != KP_NONE && kp_model_is_here(m, sock))
		return true;
	call = b->wake->waker && b->wake->waker != b->task
		       ? kp_task_call(&m->tasks.at[b->wake->waker], b->wake->t_ns)
		       : NULL;
	return call && (call->obj == KP_OBJ_tcp || call->obj == KP_OBJ_udp) && kp_call_sends(call);
}

/* A socket of which the log says no more than its number. */
static bool is_untold(const struct kp_walk *walk, const struct kp_blocked *b)
{
	const struct kp_model *m = walk->model;

	return is_net(b) && kp_sender_sock(m, b) != KP_NONE && kp_sender_told_sock(m, b) == KP_NONE;
}

static bool is_network(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return is_net(b);
}

/* Whether the waker can have sent a signal at t_ns and still be in the call from which it woke. */
static bool is_sent_within(const struct kp_call *call, uint64_t t_ns)
{
	if (!call)
		return true;
	if (!(call->flags & KP_CALLF_SEEN))
		return t_ns <= call->exit_ns;
	return call->obj == KP_OBJ_none || call->obj == KP_OBJ_anon; /* pidfd_send_signal has one */
}

static bool is_signal(const struct kp_walk *walk, const struct kp_blocked *b)
{
	const struct kp_model *m = walk->model;
	const struct kp_signal *sig;

	if (!by_task(b) || uninterruptible(b))
		return false;
	sig = kp_model_signal(m, m->tasks.at[b->task].pid, b->wake->waker, b->wake->t_ns,
			      SIGNAL_SLACK_NS);
	/* SIGCHLD is how the end of a child is told, see is_child. */
	return sig && sig->sig != SIGCHLD && is_sent_within(b->wake_call, sig->t_ns);
}

static bool is_child(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b) && b->call && kp_syscall_has(b->call->nr, KP_TRAIT_WAITS_CHILD);
}

static bool is_vfork(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b) && b->call && lends_memory(b->call);
}

static bool is_futex(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b) && b->call && kp_syscall_has(b->call->nr, KP_TRAIT_WAITS_FUTEX);
}

/* The object of a hand-over: what the waiter reads from, or what the waker wrote to. */
static bool hands_over(const struct kp_blocked *b, uint8_t obj)
{
	if (!by_task(b))
		return false;
	if (b->call && b->call->obj != KP_OBJ_none && b->call->obj != KP_OBJ_anon)
		return b->call->obj == obj;
	return is_obj(b->wake_call, obj);
}

static bool is_pipe(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return hands_over(b, KP_OBJ_pipe);
}

static bool is_local_socket(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return hands_over(b, KP_OBJ_unix) || hands_over(b, KP_OBJ_tcp) ||
	       hands_over(b, KP_OBJ_udp) || hands_over(b, KP_OBJ_sock);
}

static bool waker_named(const struct kp_walk *walk, const struct kp_blocked *b, const char *prefix)
{
	const char *comm;

	if (!by_task(b))
		return false;
	comm = kp_model_comm(walk->model, b->wake->waker, b->wake->t_ns);
	return comm && strncmp(comm, prefix, strlen(prefix)) == 0;
}

static bool is_journal(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return waker_named(walk, b, "jbd2/") || waker_named(walk, b, "xfsaild/");
}

static bool is_work(const struct kp_walk *walk, const struct kp_blocked *b)
{
	return by_task(b) && kp_model_is_worker(walk->model, b->wake->waker, b->wake->t_ns);
}

static bool is_event(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b) && is_obj(b->wake_call, KP_OBJ_anon);
}

static bool is_kernel_lock(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b) && uninterruptible(b);
}

static bool is_woke(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return by_task(b);
}

/* A signal would have made it fail (clock_nanosleep(2)). */
static bool is_slept(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return !b->wake && b->call && !(b->call->flags & KP_CALLF_SEEN) && b->call->ret == 0 &&
	       kp_syscall_has(b->call->nr, KP_TRAIT_SLEEPS);
}

static bool is_open_lock(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return !b->wake && b->call && kp_syscall_has(b->call->nr, KP_TRAIT_WAITS_FUTEX);
}

static bool is_open_network(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	return !b->wake && b->call && b->call->sock != KP_NONE;
}

static bool always(const struct kp_walk *walk, const struct kp_blocked *b)
{
	(void)walk;
	(void)b;
	return true;
}

const struct kp_rule kp_led_rules[] = {
	[KP_LED_BIRTH] = {"fork", "fork", 'A', always, follow_waker,
			  "a task that did not exist yet: the one that made it"},
	[KP_LED_MESSAGE] =
		{"message", "socket", 'A', always, follow_waker,
		 "what a process that serves many sent on for the request, and what came "
		 "back: whoever sent that"},
	[KP_LED_WITHIN] =
		{"within", "thread", 'B', always, follow_waker,
		 "another thread of such a process, to which the request was handed over"},
	{NULL, NULL, 0, NULL, NULL, NULL},
};

const struct kp_rule kp_rules[] = {
	{"frozen", NULL, 'A', is_frozen, explain_frozen,
	 "frozen with its control group; the cause is who had that frozen"},
	{"stopped", NULL, 'A', is_stopped, explain_stopped,
	 "stopped by a signal or a debugger; the cause is who sent the signal"},
	{"cut", NULL, 'C', is_cut, explain_cut,
	 "a wait that ended because the task was stopped: what it was for did not come"},
	{"given", "work", 'B', is_given, follow_giver,
	 "a kernel thread that had nothing to do: the task that gave it some"},
	{"later", NULL, 'C', is_later, explain_blocked,
	 "a kernel thread that had nothing to do until a timer, set by whom is not known"},
	{"fault", "fault", 'A', is_fault, explain_fault,
	 "a page that had to be read: blocked outside any system call, major faults grew"},
	{"dirty", NULL, 'B', is_dirty, explain_dirty,
	 "a writer that the kernel holds back until dirty pages are written"},
	{"timeout", NULL, 'B', is_timeout, explain_timeout,
	 "a socket on which nothing came before the timeout of the call"},
	{"armed", "timer", 'B', is_armed, explain_armed,
	 "a timerfd that another task set in the meantime: that task until then"},
	{"timer", NULL, 'A', is_timer, explain_timer,
	 "a timer: the intended sleep until its due time, and its lateness apart"},
	{"disk", "disk", 'A', is_disk, explain_disk,
	 "a block request: queued, behind whose requests, on the device"},
	{"others", NULL, 'C', is_for_others, explain_inside,
	 "a loop of a process that serves a request, woken for other requests"},
	{"socket", "socket", 'A', is_sender, explain_sender,
	 "TCP on this host: the task at the other end, whose send has the two ends swapped or, "
	 "behind address translation, one of them; for who waits for room, the task that took "
	 "what had been sent"},
	{"here", NULL, 'C', is_here, explain_here,
	 "bytes from this host, whose sender is not in the log"},
	{"untold", NULL, 'D', is_untold, explain_network,
	 "bytes for a socket whose telling is not in the log: from where is not known"},
	{"network", NULL, 'B', is_network, explain_network,
	 "bytes from another host; time up to a retransmission is loss"},
	{"signal", "signal", 'A', is_signal, follow_waker, "a signal, sent by the waker"},
	{"child", "child", 'A', is_child, follow_waker, "the end or stop of a child"},
	{"vfork", "fork", 'A', is_vfork, follow_waker, "a child that borrows its parent's memory"},
	{"futex", "lock", 'A', is_futex, follow_waker, "a futex that the waker released"},
	{"pipe", "pipe", 'A', is_pipe, follow_waker, "the other end of a pipe"},
	{"local", "socket", 'A', is_local_socket, explain_local,
	 "the other end of a socket, in the sender's own context"},
	{"journal", "journal", 'A', is_journal, follow_waker, "the file system's journal thread"},
	{"work", "work", 'B', is_work, follow_waker, "a kernel worker"},
	{"event", "event", 'A', is_event, follow_waker, "an eventfd, epoll or the like"},
	{"kernel", "lock", 'B', is_kernel_lock, follow_waker, "a lock inside the kernel"},
	{"woke", "woke", 'B', is_woke, follow_waker, "another task, for a reason not seen"},
	{"slept", NULL, 'B', is_slept, explain_slept,
	 "a sleep that was not cut short, though what ended it is not in the log"},
	{"lock", NULL, 'C', is_open_lock, explain_lock, "a futex whose holder is not known"},
	{"network", NULL, 'C', is_open_network, explain_network,
	 "a socket, and nothing says what ended the wait"},
	{"blocked", NULL, 'D', always, explain_blocked, "a wait that nothing explains"},
	{NULL, NULL, 0, NULL, NULL, NULL},
};
