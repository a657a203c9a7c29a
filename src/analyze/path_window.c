/* SPDX-License-Identifier: MIT
 * An incident in a process that serves many: which of their requests it was; see path.h.
 */
#include "analyze/path_in.h"
#include "base/num.h"

/* A request's messages are looked for so far from the ends of an incident, or as far as its thread
 * did not block in between: then it was not given the CPU. */
#define NEAR_NS 2000000

/* A pair of messages on one connection: a request, and what answers it. */
struct pair {
	const struct kp_msg *begin, *end;
	uint64_t away_ns; /* from the ends of the incident, in sum */
	bool is_alone;    /* no other fits them */
};

/* Whether the task did not block in [from, to], nor is it unknown whether it did. */
static bool stayed(const struct kp_path *p, uint64_t from_ns, uint64_t to_ns)
{
	const struct kp_task *t = &p->model->tasks.at[p->task];
	uint32_t i = kp_task_rec(t, to_ns), n;

	for (n = 0; i != KP_NONE && t->recs.at[i].t_ns >= from_ns; i--, n++, p->walk->work++)
		if (n == KP_PATH_LOOK_MAX || t->recs.at[i].kind == KP_REC_BLOCKED ||
		    t->recs.at[i].kind == KP_REC_LOST)
			return false;
	return true;
}

static bool is_near(const struct kp_path *p, const struct kp_msg *msg, uint64_t t_ns)
{
	return kp_apart64(msg->t1_ns, t_ns) <= NEAR_NS ||
	       (msg->task == p->task &&
		stayed(p, kp_min64(msg->t1_ns, t_ns), kp_max64(msg->t1_ns, t_ns)));
}

static void try_end(const struct kp_path *p, const struct kp_msg *end, struct pair *best)
{
	const kp_msg_list *list = &p->model->socks.at[end->sock].msgs;
	uint32_t i = kp_model_msgs_until(p->model, list, end->t1_ns);
	const struct kp_msg *begin;
	uint64_t sum;

	while (i > 0 && &p->model->msgs.at[list->at[i - 1]] != end)
		i--;
	if (!i || kp_path_asks(p, end->sock) == end->is_out)
		return;
	begin = kp_path_last_msg(p, list, i - 1, !end->is_out, &i);
	if (!begin || !is_near(p, begin, p->lo))
		return;
	sum = kp_apart64(begin->t1_ns, p->lo) + kp_apart64(end->t1_ns, p->hi);
	best->is_alone = !best->begin || (best->is_alone && best->begin == begin);
	if (!best->begin || sum < best->away_ns) {
		best->begin = begin;
		best->end = end;
		best->away_ns = sum;
	}
}

/* The pair that fits the incident's ends best. More than one connection had messages: *ret_many. */
static struct pair find_pair(const struct kp_path *p, bool *ret_many)
{
	const struct kp_model *m = p->model;
	struct pair best = {0};
	uint32_t sock = KP_NONE, k;
	const struct kp_msg *msg;

	*ret_many = false;
	for (uint32_t i = 1; i < m->tasks.cnt; i++) {
		if (!kp_path_is_own(p, i))
			continue;
		k = kp_model_msgs_until(m, &m->tasks.at[i].msgs,
					p->lo > NEAR_NS ? p->lo - NEAR_NS : 0);
		for (; k < m->tasks.at[i].msgs.cnt; k++, p->walk->work++) {
			msg = &m->msgs.at[m->tasks.at[i].msgs.at[k]];
			if (msg->t1_ns > p->hi + NEAR_NS)
				break;
			*ret_many |= sock != KP_NONE && msg->sock != sock;
			sock = msg->sock;
			if (is_near(p, msg, p->hi))
				try_end(p, msg, &best);
		}
	}
	return best;
}

/* What the process asked, and was answered. */
static void plan_asked(struct kp_path *p, const struct pair *pair)
{
	struct kp_path_at at = {kp_clamp64(pair->end->t1_ns, p->lo, p->hi), pair->end->task};
	bool is_alone = kp_path_asked(p, pair->end->sock, pair->begin->t1_ns) <= 1;

	kp_path_add_own(p, p->task, at.t_ns, p->hi);
	kp_path_add_message(p, &at, pair->end, kp_clamp64(pair->begin->t1_ns, p->lo, at.t_ns),
			    is_alone ? 'A' : 'B');
	kp_path_add_own(p, pair->begin->task, p->lo, at.t_ns);
}

bool kp_path_window(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi)
{
	struct pair pair;
	struct kp_path p;
	bool is_many;

	kp_path_begin(&p, walk, task, lo, hi);
	pair = find_pair(&p, &is_many);
	if (!is_many)
		return false;
	if (pair.begin && !pair.is_alone)
		p.best = 'B';
	if (pair.begin && pair.end->is_out) {
		p.task = pair.end->task;
		p.sock = pair.end->sock;
		kp_path_explain(&p);
		return true;
	}
	p.begin_ns = lo;
	if (pair.begin)
		plan_asked(&p, &pair);
	else
		kp_path_add_own(&p, task, lo, hi);
	kp_path_end(&p);
	return true;
}
