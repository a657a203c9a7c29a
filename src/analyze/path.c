/* SPDX-License-Identifier: MIT
 *
 * The path of a request through a process; see path.h. First forward: from the receipt of the
 * request on, what belongs to it (path_units.c). Then backward from the answer: to the last unit
 * that led to it, through the message that began this to the contribution that the process had made
 * to that, and so on, down to the receipt. What a thread did for other requests in between is no
 * cause, except that it was busy.
 */
#include "analyze/path_in.h"
#include "analyze/rules.h"
#include "base/num.h"

#define LEG_MAX 4096
#define DEPTH_MAX 32
/* A loop looks at its timers when it is woken for another reason, too: so much before their time.
 */
#define DUE_SLACK_NS 1100000
/* A runtime's timer woke one of its threads so little before what it led to. */
#define TIMER_BESIDE_NS 2000000

static void add_leg(struct kp_path *p, struct kp_leg leg)
{
	/* Of what the task did itself nothing is inferred. */
	if (leg.kind != KP_LEG_OWN && leg.confidence < p->best)
		leg.confidence = p->best;
	if (leg.t0_ns < leg.t1_ns && KP_VEC_PUSH(&p->legs, leg) < 0)
		p->failed = true;
}

void kp_path_add_own(struct kp_path *p, uint32_t task, uint64_t lo, uint64_t hi)
{
	bool answers = task == p->task; /* that another did so for this request is inferred */

	add_leg(p, (struct kp_leg){.t0_ns = lo,
				   .t1_ns = hi,
				   .task = p->task,
				   .other = task,
				   .kind = answers ? KP_LEG_OWN : KP_LEG_TASK,
				   .confidence = answers ? 'A' : 'B'});
}

/* The task's last unit that had begun at t_ns. */
static const struct kp_unit *last_unit(const struct kp_path *p, const struct kp_path_at *at)
{
	const struct kp_unit *best = NULL, *unit;

	for (uint32_t i = 0; i < p->units.cnt; i++) {
		unit = &p->units.at[i];
		if (unit->task == at->task && unit->t_ns <= at->t_ns &&
		    (!best || unit->t_ns > best->t_ns))
			best = unit;
	}
	return best;
}

/* A wait of the task that ended by being woken. */
struct waited {
	const struct kp_wake *wake;
	const struct kp_call *call;
};

/* The last wait in (from, at]: for any of many descriptors, or, with any, by a thread of the same
 * process. */
static bool last_wait(const struct kp_path *p, const struct kp_path_at *at, uint64_t from_ns,
		      bool any, struct waited *ret_waited)
{
	const struct kp_task *t = &p->model->tasks.at[at->task];
	uint32_t i = kp_task_rec(t, at->t_ns), n;
	const struct kp_rec *rec;

	for (n = 0; i != KP_NONE && i > 0 && n < KP_PATH_LOOK_MAX; i--, n++) {
		rec = &t->recs.at[i];
		p->walk->work++;
		if (rec->kind == KP_REC_LOST || rec->t_ns <= from_ns)
			return false;
		if (rec->kind != KP_REC_WAKE || rec->aux == KP_NONE ||
		    rec[-1].kind != KP_REC_BLOCKED || rec[-1].t_ns < from_ns)
			continue;
		ret_waited->wake = &p->model->wakes.at[rec->aux];
		ret_waited->call = kp_task_call(t, rec[-1].t_ns);
		if (any ? !(ret_waited->wake->ctx & KP_CTX_IRQ) &&
				    kp_path_is_own(p, ret_waited->wake->waker)
			: ret_waited->call && kp_call_waits_for_many(ret_waited->call))
			return true;
	}
	return false;
}

/* The process' last message on the request's connection before what came there was sent. */
static const struct kp_msg *contribution(const struct kp_path *p, const struct kp_open *open,
					 uint64_t t_ns)
{
	const kp_msg_list *list = &p->model->socks.at[open->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, open->is_shared ? open->from_ns : t_ns);
	const struct kp_msg *msg = kp_path_last_msg(p, list, i, true, &i);

	return msg && msg->t1_ns >= open->from_ns ? msg : NULL;
}

/* Whether a message that came would have ended the wait. */
static bool is_for_message(const struct kp_task *t, const struct kp_rec *rec)
{
	const struct kp_call *call = kp_task_call(t, rec->t_ns);

	return call && (kp_call_waits_for_many(call) || kp_call_receives(call));
}

/* What ended the task's sleep for want of a message, before it received this one; NULL: it did not
 * sleep. */
static const struct kp_rec *sleep_end(const struct kp_path *p, const struct kp_msg *received)
{
	const struct kp_task *t = &p->model->tasks.at[received->task];
	uint32_t i = kp_task_rec(t, received->t1_ns);

	for (; i != KP_NONE && i > 0 && t->recs.at[i].kind != KP_REC_BLOCKED; i--)
		if (t->recs.at[i].kind == KP_REC_WAKE && t->recs.at[i - 1].kind == KP_REC_BLOCKED)
			return is_for_message(t, &t->recs.at[i - 1]) ? &t->recs.at[i] : NULL;
	return NULL;
}

/* Who sent what was received: by the connection, or where there is none, by the wake. */
static const struct kp_msg *origin_of(const struct kp_path *p, const struct kp_msg *received,
				      const struct kp_rec *woken)
{
	const struct kp_msg *sent = kp_model_origin(p->model, received);
	const struct kp_wake *wake;

	if (sent || !woken || woken->aux == KP_NONE)
		return sent;
	wake = &p->model->wakes.at[woken->aux];
	if (wake->sock != received->sock || !wake->waker)
		return NULL;
	sent = kp_model_peer_msg(p->model, received->sock, wake->waker, wake->t_ns);
	return sent && sent->is_out ? sent : NULL;
}

/* The message was sent by then. While its send goes on, the sender is what is waited for. */
static uint64_t sent_until(const struct kp_msg *sent, uint64_t slept_ns, uint64_t got_ns)
{
	if (sent->t0_ns >= got_ns)
		return got_ns;
	return slept_ns >= sent->t0_ns && slept_ns < sent->t1_ns ? slept_ns
								 : kp_min64(sent->t1_ns, got_ns);
}

void kp_path_add_message(struct kp_path *p, struct kp_path_at *at, const struct kp_msg *received,
			 uint64_t q_ns, char confidence)
{
	const struct kp_rec *woken = sleep_end(p, received);
	const struct kp_msg *sent = origin_of(p, received, woken);
	uint64_t slept_ns = woken ? woken->t_ns : 0, end = q_ns, come;
	struct kp_leg leg = {.task = at->task, .other = KP_NONE, .confidence = confidence};

	/* The position in the stream says which message it was; without one, the time does. */
	if ((!sent || !sent->tcp_seq) && confidence < 'B')
		leg.confidence = 'B';
	if (sent)
		end = kp_max64(sent_until(sent, slept_ns, received->t1_ns), q_ns);
	/* While the task slept, nothing had come; if it did not, it was busy. */
	come = kp_max64(sent || slept_ns ? slept_ns : received->t1_ns, end);
	kp_path_add_own(p, at->task, come, at->t_ns);
	leg.kind = KP_LEG_NETWORK;
	leg.sock = received->sock;
	leg.t0_ns = end;
	leg.t1_ns = come;
	add_leg(p, leg);
	if (sent) {
		leg.kind = KP_LEG_MESSAGE;
		leg.other = sent->task;
		leg.sock = sent->sock;
		leg.t0_ns = q_ns;
		leg.t1_ns = end;
		add_leg(p, leg);
	}
	at->t_ns = q_ns;
}

/* By the unit that began last. */
static void step_unit(struct kp_path *p, struct kp_path_at *at, const struct kp_unit *unit,
		      uint64_t low)
{
	const struct kp_msg *received = unit->msg != KP_NONE ? &p->model->msgs.at[unit->msg] : NULL;
	const struct kp_open *open = received ? kp_path_open_of(p, received) : NULL;
	const struct kp_msg *sent;

	if (unit->t_ns <= low || (received && !open)) {
		kp_path_add_own(p, at->task, low, at->t_ns);
		at->t_ns = low;
		return;
	}
	if (!received) {
		kp_path_add_own(p, at->task, unit->t_ns, at->t_ns);
		*at = (struct kp_path_at){unit->t_ns, unit->from};
		return;
	}
	sent = contribution(p, open, received->t0_ns);
	kp_path_add_message(p, at, received, kp_max64(sent ? sent->t1_ns : open->from_ns, low),
			    open->is_shared ? 'B' : 'A');
	if (sent)
		at->task = sent->task;
}

/* Whether it is the first on its connection since the request came. */
static bool is_news(const struct kp_path *p, const struct kp_msg *received)
{
	const kp_msg_list *list = &p->model->socks.at[received->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, p->begin_ns), n;
	const struct kp_msg *msg;

	for (n = 0; i < list->cnt && n < KP_PATH_LOOK_MAX; i++, n++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (!msg->is_out && kp_path_is_own(p, msg->task))
			return msg == received;
	}
	return false;
}

/* Somebody else's message with which alone the round began that ends with the answer, so that it
 * may have led to that: who pushes to a queue, publishes, gives a lock back. NULL: none. Those who
 * ask all the time do not count. */
static const struct kp_msg *trigger(const struct kp_path *p, const struct kp_path_at *at,
				    uint64_t wake_ns)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->tasks.at[at->task].msgs;
	uint32_t i = kp_model_msgs_until(m, list, wake_ns), n;
	const struct kp_msg *first = NULL, *msg;

	for (n = 0; i < list->cnt && n < KP_PATH_LOOK_MAX; i++, n++) {
		msg = &m->msgs.at[list->at[i]];
		if (msg->t1_ns > at->t_ns)
			break;
		if (msg->is_out)
			continue;
		if (first)
			return NULL;
		first = msg;
	}
	return first && is_news(p, first) ? first : NULL;
}

/* When the loop's own next timer was due, if that is when it was woken or before; 0: it was not. */
static uint64_t due(const struct waited *waited)
{
	uint64_t at = waited->call ? kp_call_due(waited->call) : 0;

	if (kp_wake_is_timer(waited->wake))
		return waited->wake->obj ? waited->wake->obj : waited->wake->t_ns;
	return at <= waited->wake->t_ns + DUE_SLACK_NS ? at : 0;
}

/* A thread to which the request was handed over and which ended its work while the loop ran: who
 * writes to an eventfd then wakes nobody. */
static const struct kp_unit *finished(const struct kp_path *p, const struct kp_path_at *at,
				      uint64_t from_ns, uint64_t *ret_end_ns)
{
	const struct kp_unit *best = NULL, *unit;
	uint64_t end;

	for (uint32_t i = 0; i < p->units.cnt; i++) {
		unit = &p->units.at[i];
		if (unit->from == KP_NONE || unit->task == at->task || unit->t_ns >= at->t_ns)
			continue;
		end = kp_path_unit_end(p, unit);
		if (end < from_ns || end >= at->t_ns || (best && end < *ret_end_ns))
			continue;
		best = unit;
		*ret_end_ns = end;
	}
	return best;
}

/* Whether a timer woke any thread of the process just before: a runtime's, for whatever its threads
 * run. */
static bool has_timer(const struct kp_path *p, uint64_t t_ns)
{
	const struct kp_model *m = p->model;
	const struct kp_rec *rec;
	uint32_t at;

	for (uint32_t i = 1; i < m->tasks.cnt; i++) {
		p->walk->work++;
		if (!kp_path_is_own(p, i))
			continue;
		at = kp_task_rec(&m->tasks.at[i], t_ns);
		for (uint32_t n = 0; at != KP_NONE && n < KP_PATH_LOOK_MAX; at--, n++) {
			rec = &m->tasks.at[i].recs.at[at];
			if (rec->t_ns + TIMER_BESIDE_NS < t_ns)
				break;
			if (rec->kind == KP_REC_WAKE && rec->aux != KP_NONE &&
			    kp_wake_is_timer(&m->wakes.at[rec->aux]))
				return true;
		}
	}
	return false;
}

/* What ended a wait for many, as far as it can be told; fills in what of the leg is not yet. */
static void explain_wait(const struct kp_path *p, const struct kp_path_at *at,
			 const struct waited *waited, struct kp_leg *leg)
{
	uint64_t due_ns = due(waited);
	const struct kp_unit *worker;

	leg->kind = KP_LEG_INSIDE;
	leg->confidence = 'C';
	if (!(waited->wake->ctx & KP_CTX_IRQ) && kp_path_is_own(p, waited->wake->waker)) {
		leg->kind = KP_LEG_TASK;
		leg->other = waited->wake->waker;
		leg->confidence = 'B';
	} else if (due_ns) {
		leg->kind = KP_LEG_TIMER;
		leg->at_ns = due_ns;
		leg->confidence = 'B';
	} else if ((worker = finished(p, at, leg->t1_ns, &leg->t1_ns))) {
		leg->kind = KP_LEG_TASK;
		leg->other = worker->task;
	} else if (!p->legs.cnt && has_timer(p, leg->t1_ns)) {
		leg->kind = KP_LEG_TIMER;
		leg->at_ns = leg->t1_ns;
	}
}

/* The loop waited for many, behind its last unit: until low, or that unit's end. */
static void step_wait(struct kp_path *p, struct kp_path_at *at, const struct waited *waited,
		      uint64_t low)
{
	struct kp_leg leg = {
		.t0_ns = low, .t1_ns = waited->wake->t_ns, .task = at->task, .other = KP_NONE};
	const struct kp_msg *received = p->legs.cnt ? NULL : trigger(p, at, waited->wake->t_ns);

	explain_wait(p, at, waited, &leg);
	if (leg.kind == KP_LEG_INSIDE && received) {
		kp_path_add_message(p, at, received, low, 'B');
		return;
	}
	kp_path_add_own(p, at->task, leg.t1_ns, at->t_ns);
	add_leg(p, leg);
	at->t_ns = low;
}

/* One step back; every one lowers at->t_ns or changes the task. */
static void step(struct kp_path *p, struct kp_path_at *at, uint64_t low)
{
	const struct kp_unit *unit = last_unit(p, at);
	struct waited waited;

	if (!unit && last_wait(p, at, low, true, &waited)) {
		kp_path_add_own(p, at->task, waited.wake->t_ns, at->t_ns);
		*at = (struct kp_path_at){waited.wake->t_ns, waited.wake->waker};
	} else if (!unit) {
		kp_path_add_own(p, at->task, low, at->t_ns);
		at->t_ns = low;
	} else if (last_wait(p, at, unit->t_ns, false, &waited) && waited.wake->t_ns > low) {
		step_wait(p, at, &waited, kp_max64(low, kp_path_unit_end(p, unit)));
	} else {
		step_unit(p, at, unit, low);
	}
}

static void plan(struct kp_path *p)
{
	uint64_t low = kp_max64(p->lo, kp_min64(p->begin_ns, p->hi));
	struct kp_path_at at = {p->hi, p->task};

	for (uint32_t n = 0; at.t_ns > low && n < LEG_MAX && !p->failed; n++)
		step(p, &at, low);
	kp_path_add_own(p, at.task, low, at.t_ns);
	kp_path_add_own(p, p->units.at[0].task, p->lo, low);
}

/* --- the legs as pieces and waits --- */

static uint32_t leg_wait(struct kp_path *p, const struct kp_leg *leg, const struct kp_rule *rule)
{
	return kp_walk_wait(p->walk, (struct kp_wait){.t0_ns = leg->t0_ns,
						      .t1_ns = leg->t1_ns,
						      .wake_ns = leg->t1_ns,
						      .rule = rule,
						      .task = leg->task,
						      .waker = leg->other,
						      .parent = p->wait,
						      .confidence = leg->confidence});
}

static struct kp_piece piece_of(const struct kp_path *p, const struct kp_leg *leg, uint8_t kind)
{
	return (struct kp_piece){.t0_ns = leg->t0_ns,
				 .t1_ns = leg->t1_ns,
				 .obj = KP_NO_OBJ,
				 .task = leg->task,
				 .cause = KP_NONE,
				 .wait = p->wait,
				 .kind = kind,
				 .confidence = leg->confidence};
}

static void emit_timer(struct kp_path *p, const struct kp_leg *leg)
{
	struct kp_piece piece = piece_of(p, leg, KP_B_timer);

	piece.cause = leg->task;
	piece.t1_ns = kp_clamp64(leg->at_ns, leg->t0_ns, leg->t1_ns);
	kp_walk_emit(p->walk, piece);
	piece.t0_ns = piece.t1_ns;
	piece.t1_ns = leg->t1_ns;
	piece.detail = KP_D_late;
	kp_walk_emit(p->walk, piece);
}

static void emit_inside(struct kp_path *p, const struct kp_leg *leg)
{
	struct kp_piece piece = piece_of(p, leg, KP_B_blocked);

	piece.detail = KP_D_inside;
	kp_walk_emit(p->walk, piece);
}

static void walk_leg(struct kp_path *p, const struct kp_leg *leg)
{
	struct kp_walk *walk = p->walk;

	/* Until the request came it waited like everybody else. */
	walk->serving = leg->t1_ns > p->begin_ns ? p->pid : 0;
	switch (leg->kind) {
	case KP_LEG_OWN:
		kp_walk_task(walk, leg->task, leg->t0_ns, leg->t1_ns, p->wait);
		break;
	case KP_LEG_MESSAGE:
		kp_path_walk(walk, leg->other, leg->sock, leg->t0_ns, leg->t1_ns,
			     leg_wait(p, leg, &kp_led_rules[KP_LED_MESSAGE]));
		break;
	case KP_LEG_NETWORK:
		kp_walk_transport(walk, piece_of(p, leg, KP_B_network), leg->sock);
		break;
	case KP_LEG_TASK:
		kp_walk_task(walk, leg->other, leg->t0_ns, leg->t1_ns,
			     leg_wait(p, leg, &kp_led_rules[KP_LED_WITHIN]));
		break;
	case KP_LEG_TIMER:
		emit_timer(p, leg);
		break;
	case KP_LEG_INSIDE:
		emit_inside(p, leg);
		break;
	}
}

void kp_path_begin(struct kp_path *p, struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi)
{
	*p = (struct kp_path){.walk = walk,
			      .model = walk->model,
			      .lo = lo,
			      .hi = hi,
			      .task = task,
			      .pid = walk->model->tasks.at[task].pid,
			      .sock = KP_NONE,
			      .wait = KP_NONE,
			      .best = 'A'};
}

void kp_path_end(struct kp_path *p)
{
	uint32_t serving = p->walk->serving;

	p->walk->path_depth++;
	for (uint32_t i = p->legs.cnt; i-- > 0 && !p->failed;)
		walk_leg(p, &p->legs.at[i]);
	p->walk->path_depth--;
	p->walk->serving = serving;
	p->walk->failed |= p->failed;
	KP_VEC_DONE(&p->units);
	KP_VEC_DONE(&p->opens);
	KP_VEC_DONE(&p->legs);
}

void kp_path_explain(struct kp_path *p)
{
	if (p->lo < p->hi && p->walk->path_depth < DEPTH_MAX && kp_path_find_units(p))
		plan(p);
	else
		kp_path_add_own(p, p->task, p->lo, p->hi);
	kp_path_end(p);
}

void kp_path_walk(struct kp_walk *walk, uint32_t task, uint32_t sock, uint64_t lo, uint64_t hi,
		  uint32_t wait)
{
	struct kp_path p;

	if (kp_model_is_kthread(walk->model, task, hi)) {
		kp_walk_worker(walk, task, lo, hi, hi, wait);
		return;
	}
	kp_path_begin(&p, walk, task, lo, hi);
	p.sock = sock;
	p.wait = wait;
	kp_path_explain(&p);
}
