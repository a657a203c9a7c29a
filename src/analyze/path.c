/* SPDX-License-Identifier: MIT
 *
 * The path of a request through a process; see path.h. First forward: from the receipt of the
 * request on, what belongs to it (`units`: stretches of a thread's work, each begun by a message or
 * by being handed over; `opens`: the connections on which it then waits for others). Then backward
 * from the answer: to the last unit that led to it, through the message that began this to the
 * contribution that the process had made to that, and so on, down to the receipt. What a thread did
 * for other requests in between is no cause, except that it was busy.
 */
#include "analyze/path.h"

#include <string.h>

#include "analyze/rules.h"
#include "event/syscall.h"

#define UNIT_MAX 300
#define OPEN_MAX 128
#define LEG_MAX 4096
/* Records, messages and wakes that are looked at for one question. */
#define LOOK_MAX 4096
#define DEPTH_MAX 32
/* A loop looks at its timers when it is woken for another reason, too: so much before their time.
 */
#define DUE_SLACK_NS 1100000
/* A runtime's timer woke one of its threads so little before what it led to. */
#define TIMER_BESIDE_NS 2000000
/* A request's messages are looked for so far from the ends of an incident. */
#define NEAR_NS 2000000
/* The parts of one request follow each other within this. */
#define PART_NS 200000

/* A stretch of a thread's work on the request, up to where it blocks. */
struct unit {
	uint64_t t_ns;
	uint32_t task;
	uint32_t msg;  /* received, that began it; or KP_NONE */
	uint32_t from; /* task that handed it over; or KP_NONE */
};

/* A connection on which the request waits for somebody else. */
struct open {
	uint64_t from_ns; /* the end of the request's first message there */
	uint64_t to_ns;   /* from here on it serves another request */
	uint32_t sock;
	bool is_shared; /* more than one request is under way there */
};

enum leg_kind {
	LEG_OWN,     /* what the task did */
	LEG_MESSAGE, /* what `other` did until it sent on `sock`; KP_NONE: another host */
	LEG_TASK,    /* what `other`, of the same process, did until it woke the task */
	LEG_TIMER,   /* until `at_ns`, and how late it was seen */
	LEG_INSIDE,  /* nothing that the log shows was done for the request */
};

struct leg {
	uint64_t t0_ns, t1_ns;
	uint64_t at_ns;
	uint32_t task;
	uint32_t other;
	uint32_t sock;
	enum leg_kind kind;
	char confidence;
};

struct path {
	struct kp_walk *walk;
	const struct kp_model *model;
	uint64_t lo, hi;
	uint64_t begin_ns; /* of the request: its receipt */
	uint32_t task;     /* that answers it */
	uint32_t pid;
	uint32_t sock; /* on which it came and is answered */
	uint32_t wait;
	bool failed; /* out of memory */
	KP_VEC(struct unit) units;
	KP_VEC(struct open) opens;
	KP_VEC(struct leg) legs; /* the last first */
};

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_own(const struct path *p, uint32_t task)
{
	return p->model->tasks.at[task].pid == p->pid;
}

/* --- what belongs to the request --- */

/* Whether a task that blocks here is done with what it was at: it waits for whatever comes next. A
 * worker does so by a futex, a loop that takes one waits for a lock. */
static bool is_idle(const struct kp_task *t, const struct kp_rec *rec, bool is_worker)
{
	const struct kp_call *call =
		rec->kind == KP_REC_BLOCKED ? kp_task_call(t, rec->t_ns) : NULL;

	return call && (kp_call_waits_for_many(call) ||
			(is_worker && kp_syscall_has(call->nr, KP_TRAIT_WAITS_FUTEX)));
}

/* When the task, at work since t_ns, is idle next. */
static uint64_t idle_at(const struct path *p, uint32_t task, uint64_t t_ns, bool is_worker)
{
	const struct kp_task *t = &p->model->tasks.at[task];
	uint32_t i = kp_task_rec(t, t_ns), n = 0;

	for (i = i == KP_NONE ? 0 : i; i < t->recs.cnt && n < LOOK_MAX; i++, n++)
		if (t->recs.at[i].t_ns >= t_ns && is_idle(t, &t->recs.at[i], is_worker))
			return min64(t->recs.at[i].t_ns, p->hi);
	return p->hi;
}

static uint64_t unit_end(const struct path *p, const struct unit *unit)
{
	return idle_at(p, unit->task, unit->t_ns, unit->from != KP_NONE);
}

static const struct open *open_of(const struct path *p, const struct kp_msg *msg)
{
	for (uint32_t i = 0; i < p->opens.cnt; i++)
		if (p->opens.at[i].sock == msg->sock && msg->t1_ns >= p->opens.at[i].from_ns &&
		    msg->t1_ns <= p->opens.at[i].to_ns)
			return &p->opens.at[i];
	return NULL;
}

static void add_unit(struct path *p, struct unit unit)
{
	for (uint32_t i = 0; i < p->units.cnt; i++)
		if (p->units.at[i].task == unit.task && p->units.at[i].t_ns == unit.t_ns)
			return;
	if (p->units.cnt < UNIT_MAX && KP_VEC_PUSH(&p->units, unit) < 0)
		p->failed = true;
}

/* Who began the conversation on a connection is the one who asks there. */
static bool asks(const struct path *p, uint32_t sock)
{
	const kp_msg_list *list = &p->model->socks.at[sock].msgs;

	for (uint32_t i = 0; i < list->cnt && i < LOOK_MAX; i++)
		if (is_own(p, p->model->msgs.at[list->at[i]].task))
			return p->model->msgs.at[list->at[i]].is_out;
	return false;
}

/* Requests of one connection that are under way, as far as their messages tell: one that follows
 * another at once, with no answer between them, is a part of it. */
struct under_way {
	uint64_t last_ns; /* of the last part of a request; 0: an answer came since */
	uint32_t cnt, most;
};

static void count(struct under_way *u, const struct kp_msg *msg, bool is_request)
{
	if (!is_request) {
		u->cnt -= u->cnt > 0;
		u->last_ns = 0;
		return;
	}
	if (!u->last_ns || msg->t0_ns > u->last_ns + PART_NS)
		u->cnt++;
	u->last_ns = msg->t1_ns;
	if (u->cnt > u->most)
		u->most = u->cnt;
}

/* Counts the process' messages on a connection before the i-th. */
static struct under_way count_until(const struct path *p, uint32_t sock, uint32_t end,
				    bool is_asker)
{
	const kp_msg_list *list = &p->model->socks.at[sock].msgs;
	struct under_way u = {0};
	const struct kp_msg *msg;

	for (uint32_t i = end > LOOK_MAX ? end - LOOK_MAX : 0; i < end; i++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (is_own(p, msg->task))
			count(&u, msg, msg->is_out == is_asker);
	}
	u.most = u.cnt;
	return u;
}

/* The request sends on another connection: what comes back there, until it is used for something
 * else, begins units of it. */
static void add_open(struct path *p, const struct kp_msg *sent)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->socks.at[sent->sock].msgs;
	struct open open = {sent->t1_ns, p->hi, sent->sock, false};
	uint32_t i = kp_model_msgs_until(m, list, sent->t1_ns), n;
	struct under_way u = count_until(p, sent->sock, i, true);
	const struct kp_msg *msg;
	bool answered = false;

	if (p->opens.cnt == OPEN_MAX)
		return;
	for (n = 0; i < list->cnt && n < LOOK_MAX; i++, n++) {
		msg = &m->msgs.at[list->at[i]];
		if (msg->t1_ns > p->hi)
			break;
		if (!is_own(p, msg->task))
			continue;
		if (msg->is_out && answered && !u.cnt) {
			open.to_ns = msg->t0_ns;
			break;
		}
		count(&u, msg, msg->is_out);
		answered |= !msg->is_out;
		if (!msg->is_out)
			add_unit(p, (struct unit){msg->t1_ns, msg->task, list->at[i], KP_NONE});
	}
	open.is_shared = u.most > 1;
	if (KP_VEC_PUSH(&p->opens, open) < 0)
		p->failed = true;
}

/* Threads of the process that the unit wakes: it may hand the request over to them. */
static void spread_wakes(struct path *p, const struct unit *unit, uint64_t end)
{
	const struct kp_model *m = p->model;
	uint32_t i = kp_model_wakes_until(m, unit->t_ns), n;
	const struct kp_wake *wake;

	for (n = 0; i < m->wakes.cnt && m->wakes.at[i].t_ns <= end && n < LOOK_MAX; i++, n++) {
		wake = &m->wakes.at[i];
		p->walk->work++;
		if (wake->waker == unit->task && !(wake->ctx & KP_CTX_IRQ) &&
		    wake->target != unit->task && is_own(p, wake->target))
			add_unit(p, (struct unit){wake->t_ns, wake->target, KP_NONE, unit->task});
	}
}

/* What the unit sends, to others than those who ask the process, up to where the task blocks or,
 * having sent, takes up another request. */
static void spread(struct path *p, struct unit unit)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->tasks.at[unit.task].msgs;
	uint32_t i = kp_model_msgs_until(m, list, unit.t_ns), n;
	uint64_t end = unit_end(p, &unit);
	const struct kp_msg *msg;
	bool has_sent = false;

	for (n = 0; i < list->cnt && n < LOOK_MAX; i++, n++) {
		msg = &m->msgs.at[list->at[i]];
		p->walk->work++;
		if (msg->t0_ns > end)
			break;
		if (!msg->is_out && has_sent && msg->sock != p->sock && !open_of(p, msg)) {
			end = msg->t1_ns;
			break;
		}
		if (!msg->is_out || msg->sock == p->sock || open_of(p, msg) || !asks(p, msg->sock))
			continue;
		has_sent = true;
		add_open(p, msg);
	}
	spread_wakes(p, &unit, end);
}

/* The receipt of what is answered at hi; not, if it may be any of several on that connection. */
static bool find_request(struct path *p)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->socks.at[p->sock].msgs;
	uint32_t i = kp_model_msgs_until(m, list, p->hi), n;
	const struct kp_msg *msg;

	for (n = 0; i-- > 0 && n < LOOK_MAX; n++) {
		msg = &m->msgs.at[list->at[i]];
		if (msg->is_out || !is_own(p, msg->task))
			continue;
		if (count_until(p, p->sock, i + 1, false).cnt > 1)
			return false;
		p->begin_ns = msg->t1_ns;
		add_unit(p, (struct unit){msg->t1_ns, msg->task, list->at[i], KP_NONE});
		return true;
	}
	return false;
}

/* --- back from the answer --- */

static void add_leg(struct path *p, struct leg leg)
{
	if (leg.t0_ns < leg.t1_ns && KP_VEC_PUSH(&p->legs, leg) < 0)
		p->failed = true;
}

static void add_own(struct path *p, uint32_t task, uint64_t lo, uint64_t hi)
{
	add_leg(p, (struct leg){.t0_ns = lo,
				.t1_ns = hi,
				.task = task,
				.kind = LEG_OWN,
				.confidence = 'A'});
}

/* Where the walk back stands: `task` is explained from t_ns on. */
struct at {
	uint64_t t_ns;
	uint32_t task;
};

/* The task's last unit that had begun at t_ns. */
static const struct unit *last_unit(const struct path *p, const struct at *at)
{
	const struct unit *best = NULL, *unit;

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
	uint64_t begin_ns;
	const struct kp_wake *wake;
	const struct kp_call *call;
};

/* The last wait in (from, at]: for any of many descriptors, or, with any, by a thread of the same
 * process. */
static bool last_wait(const struct path *p, const struct at *at, uint64_t from_ns, bool any,
		      struct waited *ret_waited)
{
	const struct kp_task *t = &p->model->tasks.at[at->task];
	uint32_t i = kp_task_rec(t, at->t_ns), n;
	const struct kp_rec *rec;

	for (n = 0; i != KP_NONE && i > 0 && n < LOOK_MAX; i--, n++) {
		rec = &t->recs.at[i];
		p->walk->work++;
		if (rec->kind == KP_REC_LOST || rec->t_ns <= from_ns)
			return false;
		if (rec->kind != KP_REC_WAKE || rec->aux == KP_NONE ||
		    rec[-1].kind != KP_REC_BLOCKED || rec[-1].t_ns < from_ns)
			continue;
		ret_waited->begin_ns = rec[-1].t_ns;
		ret_waited->wake = &p->model->wakes.at[rec->aux];
		ret_waited->call = kp_task_call(t, rec[-1].t_ns);
		if (any ? !(ret_waited->wake->ctx & KP_CTX_IRQ) &&
				    is_own(p, ret_waited->wake->waker)
			: ret_waited->call && kp_call_waits_for_many(ret_waited->call))
			return true;
	}
	return false;
}

/* The process' last message on the request's connection before what came there was sent. */
static const struct kp_msg *contribution(const struct path *p, const struct open *open,
					 uint64_t t_ns)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->socks.at[open->sock].msgs;
	uint32_t i = kp_model_msgs_until(m, list, open->is_shared ? open->from_ns : t_ns), n;
	const struct kp_msg *msg;

	for (n = 0; i-- > 0 && n < LOOK_MAX; n++) {
		msg = &m->msgs.at[list->at[i]];
		if (msg->t1_ns < open->from_ns)
			return NULL;
		if (msg->is_out && is_own(p, msg->task))
			return msg;
	}
	return NULL;
}

/* When the task was woken for what it received, if it was; else when it received it. */
static uint64_t arrival(const struct path *p, const struct kp_msg *received, uint64_t from_ns)
{
	const struct kp_task *t = &p->model->tasks.at[received->task];
	uint32_t i = kp_task_rec(t, received->t1_ns);

	for (; i != KP_NONE && t->recs.at[i].t_ns > from_ns; i--) {
		if (t->recs.at[i].kind == KP_REC_BLOCKED)
			break;
		if (t->recs.at[i].kind == KP_REC_WAKE)
			return t->recs.at[i].t_ns;
	}
	return received->t1_ns;
}

/* Back over a message to where the process' contribution q_ns to it was made. Returns when it was
 * on its way. */
static void add_message(struct path *p, struct at *at, const struct kp_msg *received, uint64_t q_ns,
			char confidence)
{
	const struct kp_msg *sent = kp_model_origin(p->model, received);
	uint64_t end = received->t1_ns, come = arrival(p, received, q_ns);

	add_own(p, at->task, end, at->t_ns);
	if (sent && sent->t0_ns < end)
		end = come >= sent->t0_ns && come < sent->t1_ns ? come : min64(sent->t1_ns, end);
	else if (!sent)
		end = come;
	end = max64(end, q_ns);
	add_own(p, at->task, end, min64(received->t1_ns, at->t_ns));
	add_leg(p, (struct leg){.t0_ns = q_ns,
				.t1_ns = end,
				.task = at->task,
				.other = sent ? sent->task : KP_NONE,
				.sock = sent ? sent->sock : received->sock,
				.kind = LEG_MESSAGE,
				.confidence = sent && sent->tcp_seq ? confidence
					      : confidence < 'B'    ? 'B'
								    : confidence});
	at->t_ns = q_ns;
}

/* By the unit that began last. */
static void step_unit(struct path *p, struct at *at, const struct unit *unit, uint64_t low)
{
	const struct kp_msg *received = unit->msg != KP_NONE ? &p->model->msgs.at[unit->msg] : NULL;
	const struct open *open = received ? open_of(p, received) : NULL;
	const struct kp_msg *sent;

	if (unit->t_ns <= low || (received && !open)) {
		add_own(p, at->task, low, at->t_ns);
		at->t_ns = low;
		return;
	}
	if (!received) {
		add_own(p, at->task, unit->t_ns, at->t_ns);
		*at = (struct at){unit->t_ns, unit->from};
		return;
	}
	sent = contribution(p, open, received->t0_ns);
	add_message(p, at, received, max64(sent ? sent->t1_ns : open->from_ns, low),
		    open->is_shared ? 'B' : 'A');
	if (sent)
		at->task = sent->task;
}

/* Whether it is the first on its connection since the request came. */
static bool is_news(const struct path *p, const struct kp_msg *received)
{
	const kp_msg_list *list = &p->model->socks.at[received->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, p->begin_ns), n;
	const struct kp_msg *msg;

	for (n = 0; i < list->cnt && n < LOOK_MAX; i++, n++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (!msg->is_out && is_own(p, msg->task))
			return msg == received;
	}
	return false;
}

/* Somebody else's message with which alone the round began that ends with the answer, so that it
 * may have led to that: who pushes to a queue, publishes, gives a lock back. NULL: none. Those who
 * ask all the time do not count. */
static const struct kp_msg *trigger(const struct path *p, const struct at *at, uint64_t wake_ns)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->tasks.at[at->task].msgs;
	uint32_t i = kp_model_msgs_until(m, list, wake_ns), n;
	const struct kp_msg *first = NULL, *msg;

	for (n = 0; i < list->cnt && n < LOOK_MAX; i++, n++) {
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

static bool is_timer(const struct kp_wake *wake)
{
	return wake->ctx & KP_CTX_IRQ && !(wake->ctx & (KP_CTX_NET | KP_CTX_BLOCK)) &&
	       wake->ctx & KP_CTX_TIMER;
}

/* When the loop's own next timer was due, if that is when it was woken or before; 0: it was not. */
static uint64_t due(const struct waited *waited)
{
	uint64_t at =
		waited->call ? waited->call->entry_ns + waited->call->timeout_ms * 1000000ull : 0;

	if (is_timer(waited->wake))
		return waited->wake->obj ? waited->wake->obj : waited->wake->t_ns;
	return waited->call && waited->call->timeout_ms && at <= waited->wake->t_ns + DUE_SLACK_NS
		       ? at
		       : 0;
}

/* A thread to which the request was handed over and which ended its work while the loop ran: who
 * writes to an eventfd then wakes nobody. */
static const struct unit *finished(const struct path *p, const struct at *at, uint64_t from_ns,
				   uint64_t *ret_end_ns)
{
	const struct unit *best = NULL, *unit;
	uint64_t end;

	for (uint32_t i = 0; i < p->units.cnt; i++) {
		unit = &p->units.at[i];
		if (unit->from == KP_NONE || unit->task == at->task || unit->t_ns >= at->t_ns)
			continue;
		end = unit_end(p, unit);
		if (end < from_ns || end >= at->t_ns || (best && end < *ret_end_ns))
			continue;
		best = unit;
		*ret_end_ns = end;
	}
	return best;
}

/* Whether a timer woke any thread of the process just before: a runtime's, for whatever its threads
 * run. */
static bool has_timer(const struct path *p, uint64_t t_ns)
{
	const struct kp_model *m = p->model;
	const struct kp_rec *rec;
	uint32_t at;

	for (uint32_t i = 1; i < m->tasks.cnt; i++) {
		p->walk->work++;
		if (!is_own(p, i))
			continue;
		at = kp_task_rec(&m->tasks.at[i], t_ns);
		for (uint32_t n = 0; at != KP_NONE && n < LOOK_MAX; at--, n++) {
			rec = &m->tasks.at[i].recs.at[at];
			if (rec->t_ns + TIMER_BESIDE_NS < t_ns)
				break;
			if (rec->kind == KP_REC_WAKE && rec->aux != KP_NONE &&
			    is_timer(&m->wakes.at[rec->aux]))
				return true;
		}
	}
	return false;
}

/* What ended a wait for many, as far as it can be told; fills in what of the leg is not yet. */
static void explain_wait(const struct path *p, const struct at *at, const struct waited *waited,
			 struct leg *leg)
{
	uint64_t due_ns = due(waited);
	const struct unit *worker;

	leg->kind = LEG_INSIDE;
	leg->confidence = 'C';
	if (!(waited->wake->ctx & KP_CTX_IRQ) && is_own(p, waited->wake->waker)) {
		leg->kind = LEG_TASK;
		leg->other = waited->wake->waker;
		leg->confidence = 'B';
	} else if (due_ns) {
		leg->kind = LEG_TIMER;
		leg->at_ns = due_ns;
		leg->confidence = 'B';
	} else if ((worker = finished(p, at, leg->t1_ns, &leg->t1_ns))) {
		leg->kind = LEG_TASK;
		leg->other = worker->task;
	} else if (!p->legs.cnt && has_timer(p, leg->t1_ns)) {
		leg->kind = LEG_TIMER;
		leg->at_ns = leg->t1_ns;
	}
}

/* The loop waited for many, behind its last unit: until low, or that unit's end. */
static void step_wait(struct path *p, struct at *at, const struct waited *waited, uint64_t low)
{
	struct leg leg = {
		.t0_ns = low, .t1_ns = waited->wake->t_ns, .task = at->task, .other = KP_NONE};
	const struct kp_msg *received = p->legs.cnt ? NULL : trigger(p, at, waited->wake->t_ns);

	explain_wait(p, at, waited, &leg);
	if (leg.kind == LEG_INSIDE && received) {
		add_message(p, at, received, low, 'B');
		return;
	}
	add_own(p, at->task, leg.t1_ns, at->t_ns);
	add_leg(p, leg);
	at->t_ns = low;
}

/* One step back; every one lowers at->t_ns or changes the task. */
static void step(struct path *p, struct at *at, uint64_t low)
{
	const struct unit *unit = last_unit(p, at);
	struct waited waited;

	if (!unit && last_wait(p, at, low, true, &waited)) {
		add_own(p, at->task, waited.wake->t_ns, at->t_ns);
		*at = (struct at){waited.wake->t_ns, waited.wake->waker};
	} else if (!unit) {
		add_own(p, at->task, low, at->t_ns);
		at->t_ns = low;
	} else if (last_wait(p, at, unit->t_ns, false, &waited) && waited.wake->t_ns > low) {
		step_wait(p, at, &waited, max64(low, unit_end(p, unit)));
	} else {
		step_unit(p, at, unit, low);
	}
}

static void plan(struct path *p, uint32_t task)
{
	uint64_t low = max64(p->lo, min64(p->begin_ns, p->hi));
	struct at at = {p->hi, task};

	for (uint32_t n = 0; at.t_ns > low && n < LEG_MAX && !p->failed; n++)
		step(p, &at, low);
	add_own(p, at.task, low, at.t_ns);
	add_own(p, p->units.at[0].task, p->lo, low);
}

/* --- the legs as pieces and waits --- */

static uint32_t leg_wait(struct path *p, const struct leg *leg, const struct kp_rule *rule)
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

static void emit(struct path *p, const struct leg *leg, uint8_t kind, uint8_t detail, uint64_t lo,
		 uint64_t hi)
{
	kp_walk_emit(p->walk, (struct kp_piece){
				      .t0_ns = lo,
				      .t1_ns = hi,
				      .obj = kind == KP_B_network ? leg->sock : KP_NO_OBJ,
				      .task = leg->task,
				      .cause = kind == KP_B_timer ? leg->task : KP_NONE,
				      .wait = p->wait,
				      .kind = kind,
				      .detail = detail,
				      .confidence = leg->confidence,
			      });
}

/* What a thread did; that it did so for this request is an inference, unless it answers. */
static void walk_own(struct path *p, const struct leg *leg)
{
	struct leg led = *leg;
	uint32_t wait = p->wait;

	if (leg->task != p->task) {
		led.task = p->task;
		led.other = leg->task;
		led.confidence = kp_led_rules[KP_LED_WITHIN].confidence;
		wait = leg_wait(p, &led, &kp_led_rules[KP_LED_WITHIN]);
	}
	kp_walk_task(p->walk, leg->task, leg->t0_ns, leg->t1_ns, wait);
}

static void walk_leg(struct path *p, const struct leg *leg)
{
	struct kp_walk *walk = p->walk;
	uint64_t at;

	/* Until the request came it waited like everybody else. */
	walk->serving = leg->t1_ns > p->begin_ns ? p->pid : 0;
	switch (leg->kind) {
	case LEG_OWN:
		walk_own(p, leg);
		break;
	case LEG_MESSAGE:
		if (leg->other == KP_NONE)
			emit(p, leg, KP_B_network, KP_D_none, leg->t0_ns, leg->t1_ns);
		else
			kp_path_walk(walk, leg->other, leg->sock, leg->t0_ns, leg->t1_ns,
				     leg_wait(p, leg, &kp_led_rules[KP_LED_MESSAGE]));
		break;
	case LEG_TASK:
		kp_walk_task(walk, leg->other, leg->t0_ns, leg->t1_ns,
			     leg_wait(p, leg, &kp_led_rules[KP_LED_WITHIN]));
		break;
	case LEG_TIMER:
		at = min64(max64(leg->at_ns, leg->t0_ns), leg->t1_ns);
		emit(p, leg, KP_B_timer, KP_D_none, leg->t0_ns, at);
		emit(p, leg, KP_B_timer, KP_D_late, at, leg->t1_ns);
		break;
	case LEG_INSIDE:
		emit(p, leg, KP_B_blocked, KP_D_inside, leg->t0_ns, leg->t1_ns);
		break;
	}
}

static bool prepare(struct path *p)
{
	if (p->sock == KP_NONE || p->lo >= p->hi || p->walk->path_depth >= DEPTH_MAX ||
	    !find_request(p))
		return false;
	for (uint32_t i = 0; i < p->units.cnt && !p->failed; i++)
		spread(p, p->units.at[i]);
	return !p->failed;
}

static void begin_path(struct path *p, struct kp_walk *walk, uint32_t task, uint64_t lo,
		       uint64_t hi)
{
	*p = (struct path){.walk = walk,
			   .model = walk->model,
			   .lo = lo,
			   .hi = hi,
			   .task = task,
			   .pid = walk->model->tasks.at[task].pid,
			   .sock = KP_NONE,
			   .wait = KP_NONE};
}

/* Explains by the legs. */
static void end_path(struct path *p)
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

void kp_path_walk(struct kp_walk *walk, uint32_t task, uint32_t sock, uint64_t lo, uint64_t hi,
		  uint32_t wait)
{
	struct path p;

	begin_path(&p, walk, task, lo, hi);
	p.sock = sock;
	p.wait = wait;
	if (prepare(&p))
		plan(&p, task);
	else
		add_own(&p, task, lo, hi);
	end_path(&p);
}

/* --- an incident in a process that serves many --- */

/* A pair of messages on one connection: a request, and what answers it. */
struct pair {
	const struct kp_msg *begin, *end;
	uint64_t away_ns; /* from the ends of the incident, in sum */
};

/* The process' last message on the connection before the i-th that goes the other way. */
static const struct kp_msg *before(const struct path *p, const kp_msg_list *list, uint32_t i)
{
	const struct kp_msg *end = &p->model->msgs.at[list->at[i]], *msg;

	for (uint32_t n = 0; i-- > 0 && n < LOOK_MAX; n++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (msg->is_out != end->is_out && is_own(p, msg->task))
			return msg;
	}
	return NULL;
}

static uint64_t away(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void try_end(const struct path *p, const struct kp_msg *end, struct pair *best)
{
	const kp_msg_list *list = &p->model->socks.at[end->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, end->t1_ns);
	const struct kp_msg *begin;
	uint64_t sum;

	while (i > 0 && &p->model->msgs.at[list->at[i - 1]] != end)
		i--;
	if (!i || asks(p, end->sock) == end->is_out)
		return;
	begin = before(p, list, i - 1);
	if (!begin || away(begin->t1_ns, p->lo) > NEAR_NS)
		return;
	sum = away(begin->t1_ns, p->lo) + away(end->t1_ns, p->hi);
	if (!best->begin || sum < best->away_ns)
		*best = (struct pair){begin, end, sum};
}

/* The pair that fits the incident's ends best. More than one connection had messages: *ret_many. */
static struct pair find_pair(const struct path *p, bool *ret_many)
{
	const struct kp_model *m = p->model;
	struct pair best = {0};
	uint32_t sock = KP_NONE, k;
	const struct kp_msg *msg;

	*ret_many = false;
	for (uint32_t i = 1; i < m->tasks.cnt; i++) {
		if (!is_own(p, i))
			continue;
		k = kp_model_msgs_until(m, &m->tasks.at[i].msgs,
					p->lo > NEAR_NS ? p->lo - NEAR_NS : 0);
		for (; k < m->tasks.at[i].msgs.cnt; k++, p->walk->work++) {
			msg = &m->msgs.at[m->tasks.at[i].msgs.at[k]];
			if (msg->t1_ns > p->hi + NEAR_NS)
				break;
			*ret_many |= sock != KP_NONE && msg->sock != sock;
			sock = msg->sock;
			if (msg->t1_ns + NEAR_NS >= p->hi)
				try_end(p, msg, &best);
		}
	}
	return best;
}

/* What the process asked, and was answered. */
static void plan_asked(struct path *p, const struct pair *pair)
{
	struct at at = {max64(min64(pair->end->t1_ns, p->hi), p->lo), pair->end->task};

	add_own(p, p->task, at.t_ns, p->hi);
	add_message(p, &at, pair->end, min64(max64(pair->begin->t1_ns, p->lo), at.t_ns), 'A');
	add_own(p, pair->begin->task, p->lo, at.t_ns);
}

bool kp_path_window(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi)
{
	struct pair pair;
	struct path p;
	bool is_many;

	begin_path(&p, walk, task, lo, hi);
	pair = find_pair(&p, &is_many);
	if (!is_many)
		return false;
	if (pair.begin && pair.end->is_out) {
		kp_path_walk(walk, pair.end->task, pair.end->sock, lo, hi, KP_NONE);
		return true;
	}
	p.begin_ns = lo;
	if (pair.begin)
		plan_asked(&p, &pair);
	else
		add_own(&p, task, lo, hi);
	end_path(&p);
	return true;
}
