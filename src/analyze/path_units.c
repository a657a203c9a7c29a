/* SPDX-License-Identifier: MIT
 * What of a process' work belongs to a request, from its receipt on; see path_in.h.
 */
#include "analyze/path_in.h"
#include "base/num.h"
#include "event/syscall.h"

#define UNIT_MAX 300
#define OPEN_MAX 128
/* The parts of one request follow each other within this. */
#define PART_NS 200000

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
static uint64_t idle_at(const struct kp_path *p, uint32_t task, uint64_t t_ns, bool is_worker)
{
	const struct kp_task *t = &p->model->tasks.at[task];
	uint32_t i = kp_task_rec(t, t_ns), n = 0;

	for (i = i == KP_NONE ? 0 : i; i < t->recs.cnt && n < KP_PATH_LOOK_MAX; i++, n++)
		if (t->recs.at[i].t_ns >= t_ns && is_idle(t, &t->recs.at[i], is_worker))
			return kp_min64(t->recs.at[i].t_ns, p->hi);
	return p->hi;
}

uint64_t kp_path_unit_end(const struct kp_path *p, const struct kp_unit *unit)
{
	return idle_at(p, unit->task, unit->t_ns, unit->from != KP_NONE);
}

const struct kp_open *kp_path_open_of(const struct kp_path *p, const struct kp_msg *msg)
{
	for (uint32_t i = 0; i < p->opens.cnt; i++)
		if (p->opens.at[i].sock == msg->sock && msg->t1_ns >= p->opens.at[i].from_ns &&
		    msg->t1_ns <= p->opens.at[i].to_ns)
			return &p->opens.at[i];
	return NULL;
}

static void add_unit(struct kp_path *p, struct kp_unit unit)
{
	for (uint32_t i = 0; i < p->units.cnt; i++)
		if (p->units.at[i].task == unit.task && p->units.at[i].t_ns == unit.t_ns)
			return;
	if (p->units.cnt < UNIT_MAX && KP_VEC_PUSH(&p->units, unit) < 0)
		p->failed = true;
}

bool kp_path_asks(const struct kp_path *p, uint32_t sock)
{
	const kp_msg_list *list = &p->model->socks.at[sock].msgs;

	for (uint32_t i = 0; i < list->cnt && i < KP_PATH_LOOK_MAX; i++)
		if (kp_path_is_own(p, p->model->msgs.at[list->at[i]].task))
			return p->model->msgs.at[list->at[i]].is_out;
	return false;
}

const struct kp_msg *kp_path_last_msg(const struct kp_path *p, const kp_msg_list *list, uint32_t i,
				      bool is_out, uint32_t *ret_place)
{
	const struct kp_msg *msg;

	for (uint32_t n = 0; i-- > 0 && n < KP_PATH_LOOK_MAX; n++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (msg->is_out != is_out || !kp_path_is_own(p, msg->task))
			continue;
		*ret_place = i;
		return msg;
	}
	return NULL;
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
static struct under_way count_until(const struct kp_path *p, uint32_t sock, uint32_t end,
				    bool is_asker)
{
	const kp_msg_list *list = &p->model->socks.at[sock].msgs;
	struct under_way u = {0};
	const struct kp_msg *msg;

	for (uint32_t i = end > KP_PATH_LOOK_MAX ? end - KP_PATH_LOOK_MAX : 0; i < end; i++) {
		msg = &p->model->msgs.at[list->at[i]];
		if (kp_path_is_own(p, msg->task))
			count(&u, msg, msg->is_out == is_asker);
	}
	u.most = u.cnt;
	return u;
}

uint32_t kp_path_asked(const struct kp_path *p, uint32_t sock, uint64_t t_ns)
{
	uint32_t i = kp_model_msgs_until(p->model, &p->model->socks.at[sock].msgs, t_ns);

	return count_until(p, sock, i, true).cnt;
}

/* The request sends on another connection: what comes back there, until it is used for something
 * else, begins units of it. */
static void add_open(struct kp_path *p, const struct kp_msg *sent)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->socks.at[sent->sock].msgs;
	struct kp_open open = {sent->t1_ns, p->hi, sent->sock, false};
	uint32_t i = kp_model_msgs_until(m, list, sent->t1_ns), n;
	struct under_way u = count_until(p, sent->sock, i, true);
	const struct kp_msg *msg;
	bool answered = false;

	if (p->opens.cnt == OPEN_MAX)
		return;
	for (n = 0; i < list->cnt && n < KP_PATH_LOOK_MAX; i++, n++) {
		msg = &m->msgs.at[list->at[i]];
		if (msg->t1_ns > p->hi)
			break;
		if (!kp_path_is_own(p, msg->task))
			continue;
		if (msg->is_out && answered && !u.cnt) {
			open.to_ns = msg->t0_ns;
			break;
		}
		count(&u, msg, msg->is_out);
		answered |= !msg->is_out;
		if (!msg->is_out)
			add_unit(p, (struct kp_unit){msg->t1_ns, msg->task, list->at[i], KP_NONE});
	}
	open.is_shared = u.most > 1;
	if (KP_VEC_PUSH(&p->opens, open) < 0)
		p->failed = true;
}

/* Threads of the process that the unit wakes: it may hand the request over to them. */
static void spread_wakes(struct kp_path *p, const struct kp_unit *unit, uint64_t end)
{
	const struct kp_model *m = p->model;
	uint32_t i = kp_model_wakes_until(m, unit->t_ns), n;
	const struct kp_wake *wake;

	for (n = 0; i < m->wakes.cnt && m->wakes.at[i].t_ns <= end && n < KP_PATH_LOOK_MAX;
	     i++, n++) {
		wake = &m->wakes.at[i];
		p->walk->work++;
		if (wake->waker == unit->task && !(wake->ctx & KP_CTX_IRQ) &&
		    wake->target != unit->task && kp_path_is_own(p, wake->target))
			add_unit(p,
				 (struct kp_unit){wake->t_ns, wake->target, KP_NONE, unit->task});
	}
}

/* What the unit sends, to others than those who ask the process, up to where the task blocks or,
 * having sent, takes up another request. */
static void spread(struct kp_path *p, struct kp_unit unit)
{
	const struct kp_model *m = p->model;
	const kp_msg_list *list = &m->tasks.at[unit.task].msgs;
	uint32_t i = kp_model_msgs_until(m, list, unit.t_ns), n;
	uint64_t end = kp_path_unit_end(p, &unit);
	const struct kp_msg *msg;
	bool has_sent = false;

	for (n = 0; i < list->cnt && n < KP_PATH_LOOK_MAX; i++, n++) {
		msg = &m->msgs.at[list->at[i]];
		p->walk->work++;
		if (msg->t0_ns > end)
			break;
		if (!msg->is_out && has_sent && msg->sock != p->sock && !kp_path_open_of(p, msg)) {
			end = msg->t1_ns;
			break;
		}
		if (!msg->is_out || msg->sock == p->sock || kp_path_open_of(p, msg) ||
		    !kp_path_asks(p, msg->sock))
			continue;
		has_sent = true;
		add_open(p, msg);
	}
	spread_wakes(p, &unit, end);
}

static bool find_request(struct kp_path *p)
{
	const kp_msg_list *list = &p->model->socks.at[p->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, p->hi);
	const struct kp_msg *msg = kp_path_last_msg(p, list, i, false, &i);

	if (!msg || count_until(p, p->sock, i + 1, false).cnt > 1)
		return false;
	p->begin_ns = msg->t1_ns;
	add_unit(p, (struct kp_unit){msg->t1_ns, msg->task, list->at[i], KP_NONE});
	return true;
}

bool kp_path_find_units(struct kp_path *p)
{
	if (p->sock == KP_NONE || !find_request(p))
		return false;
	for (uint32_t i = 0; i < p->units.cnt && !p->failed; i++)
		spread(p, p->units.at[i]);
	return !p->failed;
}
