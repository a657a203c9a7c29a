/* SPDX-License-Identifier: MIT
 *
 * From pieces to a report. Pieces that agree in kind, detail, cause, object, task and `via` make a
 * bucket; buckets that differ in `via` only make a cause. The sums of both are checked against the
 * window: no nanosecond is lost or counted twice on the way.
 */
#include "analyze/report.h"

#include <assert.h>
#include <string.h>

#include "analyze/evidence.h"
#include "analyze/role.h"
#include "analyze/rules.h"
#include "event/event.h"

/* What a bucket is grouped by, as numbers. */
struct key {
	uint32_t cause;
	uint32_t task;
	uint64_t obj;
	uint32_t via; /* index into builder.vias; last, since causes leave it out */
	uint8_t kind;
	uint8_t detail;
};

struct group {
	struct key key;
	uint64_t ns;
	uint64_t sure_ns; /* by which the end would certainly have been earlier */
	uint64_t t_ns;    /* when it was seen first, for names */
	uint64_t obj;     /* of the first piece, as in kp_piece */
	uint32_t cause;   /* of the largest part, when the key has who stands for several */
	uint32_t task;
	uint8_t detail;
	char confidence;
};

struct via {
	uint32_t parent;
	const char *name;
	const char *text;
};

struct builder {
	struct kp_report *report;
	const struct kp_walk *walk;
	const char **comms;      /* by name index: the copy in the report's arena */
	struct kp_map copies;    /* the same of where processes come from, by its place */
	struct kp_map roles;     /* see kp_role_first */
	uint32_t *wait_via;      /* by wait */
	KP_VEC(struct via) vias; /* 0: none */
	KP_VEC(struct group) groups;
};

void kp_report_done(struct kp_report *report)
{
	KP_VEC_DONE(&report->lost);
	KP_VEC_DONE(&report->buckets);
	KP_VEC_DONE(&report->causes);
	KP_VEC_DONE(&report->path);
	KP_VEC_DONE(&report->spans);
	KP_VEC_DONE(&report->nodes);
	KP_VEC_DONE(&report->edges);
	KP_VEC_DONE(&report->events);
	kp_arena_done(&report->arena);
	memset(report, 0, sizeof(*report));
}

const char *kp_role_name(unsigned role)
{
	static const char *const names[] = {
#define X(name) #name,
		KP_ROLES(X)
#undef X
	};

	return names[role];
}

static const struct kp_who nobody = {.comm = "", .key = "", .value = "", .exe = "", .origin = ""};

typedef const char *(*copy_fn)(struct kp_report *report, const struct kp_origin *origin);

static const char *copy_exe(struct kp_report *report, const struct kp_origin *origin)
{
	const char *text =
		origin->exe ? kp_arena_strndup(&report->arena, origin->exe, strlen(origin->exe))
			    : NULL;

	return text ? text : "";
}

static const char *copy_origin(struct kp_report *report, const struct kp_origin *origin)
{
	struct kp_buf text = {0};
	const char *copy;

	kp_origin_print(origin, &text);
	copy = text.len ? kp_arena_take(&report->arena, &text) : NULL;
	return copy ? copy : "";
}

struct kp_who kp_report_who(struct kp_report *report, const struct kp_model *model, uint32_t task,
			    uint64_t t_ns)
{
	struct kp_who who = nobody;
	struct kp_origin origin;
	const char *comm;

	if (task >= model->tasks.cnt)
		return who;
	who.pid = model->tasks.at[task].pid;
	who.tid = model->tasks.at[task].tid;
	comm = kp_model_comm(model, task, t_ns);
	comm = comm ? kp_arena_strndup(&report->arena, comm, strlen(comm)) : NULL;
	who.comm = comm ? comm : "";
	origin = kp_origins_get(model->origins, who.pid, t_ns);
	who.exe = copy_exe(report, &origin);
	who.origin = copy_origin(report, &origin);
	return who;
}

/* Of what is told of many tasks one copy; the key is where it stands in the model. */
static const char *copy_once(struct builder *b, const struct kp_origin *origin, const void *key,
			     copy_fn copy)
{
	uint64_t *known = kp_map_get(&b->copies, (uintptr_t)key);
	const char *text;

	if (known)
		return (const char *)(uintptr_t)*known;
	text = copy(b->report, origin);
	if (key && kp_map_put(&b->copies, (uintptr_t)key, (uintptr_t)text) < 0)
		b->report->arena.failed = true;
	return text;
}

/* The same, with one copy of each name. */
static struct kp_who who_of(struct builder *b, uint32_t task, uint64_t t_ns)
{
	struct kp_who who = nobody;
	struct kp_origin origin;
	const struct kp_model *m = b->walk->model;
	const char *comm;
	uint32_t i;

	if (task >= m->tasks.cnt)
		return who;
	who.pid = m->tasks.at[task].pid;
	who.tid = m->tasks.at[task].tid;
	origin = kp_origins_get(m->origins, who.pid, t_ns);
	who.exe = copy_once(b, &origin, origin.exe, copy_exe);
	who.origin = copy_once(b, &origin, origin.of, copy_origin);
	comm = kp_model_comm(m, task, t_ns);
	if (!comm)
		return who;
	i = (uint32_t)((const struct kp_name *)(comm - offsetof(struct kp_name, comm)) -
		       m->names.at);
	if (!b->comms[i])
		b->comms[i] = kp_arena_strndup(&b->report->arena, comm, strlen(comm));
	if (b->comms[i])
		who.comm = b->comms[i];
	return who;
}

/* --- via --- */

static int via_find(struct builder *b, uint32_t parent, const char *name, uint32_t *ret_via)
{
	struct via via = {.parent = parent, .name = name};
	struct kp_buf text = {0};

	for (uint32_t i = 1; i < b->vias.cnt; i++)
		if (b->vias.at[i].parent == parent && strcmp(b->vias.at[i].name, name) == 0) {
			*ret_via = i;
			return 0;
		}
	kp_buf_printf(&text, "%s%s%s", b->vias.at[parent].text, parent ? "," : "", name);
	via.text = kp_arena_take(&b->report->arena, &text);
	if (!via.text || KP_VEC_PUSH(&b->vias, via) < 0)
		return -ENOMEM;
	*ret_via = b->vias.cnt - 1;
	return 0;
}

/* A wait stands behind its parent in the walk, so that one pass is enough. */
static int via_all(struct builder *b)
{
	const struct kp_wait *w;
	uint32_t parent;

	if (KP_VEC_PUSH(&b->vias, ((struct via){0, "", ""})) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->walk->waits.cnt; i++) {
		w = &b->walk->waits.at[i];
		parent = w->parent == KP_NONE ? 0 : b->wait_via[w->parent];
		if (via_find(b, parent, w->rule->via ? w->rule->via : w->rule->name,
			     &b->wait_via[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- groups --- */

/* What of piece.obj tells one cause from another. */
static uint64_t object_identity(const struct kp_model *m, const struct kp_piece *p)
{
	if (p->obj == KP_NO_OBJ)
		return KP_NO_OBJ;
	switch (p->kind) {
	case KP_B_run_queue:
	case KP_B_irq:
	case KP_B_lock:
		return p->obj;
	case KP_B_disk:
	case KP_B_fault:
		return kp_evidence_dev(m, p->obj);
	case KP_B_network:
	case KP_B_retransmit:
		return m->socks.at[p->obj].remote;
	case KP_B_stopped:
		return (uint64_t)m->signals.at[p->obj].sig;
	default:
		return KP_NO_OBJ;
	}
}

/* The part of a piece that comes after every other wake of the waits that lead to it: before that
 * the wait could have lasted without this piece. Doubtful pieces promise nothing. */
static uint64_t sure_part(const struct kp_walk *walk, const struct kp_piece *p)
{
	uint64_t from = p->t0_ns;

	if (p->confidence > 'B')
		return 0;
	for (uint32_t i = p->wait; i != KP_NONE; i = walk->waits.at[i].parent)
		if (walk->waits.at[i].prev_wake_ns > from)
			from = walk->waits.at[i].prev_wake_ns;
	return from < p->t1_ns ? p->t1_ns - from : 0;
}

static struct key key_of(const struct builder *b, const struct kp_piece *p)
{
	return (struct key){
		.cause = p->cause,
		.task = p->task,
		.obj = object_identity(b->walk->model, p),
		.via = p->wait == KP_NONE ? 0 : b->wait_via[p->wait],
		.kind = p->kind,
		.detail = p->detail,
	};
}

#define COMPARE(a, b)   \
	if ((a) != (b)) \
		return (a) < (b) ? -1 : 1;

static int key_order_short(const struct key *x, const struct key *y)
{
	COMPARE(x->kind, y->kind)
	COMPARE(x->detail, y->detail)
	COMPARE(x->cause, y->cause)
	COMPARE(x->task, y->task)
	COMPARE(x->obj, y->obj)
	return 0;
}

static int group_order_short(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = key_order_short(&x->key, &y->key);

	if (order)
		return order;
	COMPARE(y->ns, x->ns) /* the largest stands for all */
	COMPARE(x->t_ns, y->t_ns)
	return 0;
}

static int group_order(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = key_order_short(&x->key, &y->key);

	if (order)
		return order;
	COMPARE(x->key.via, y->key.via)
	COMPARE(x->t_ns, y->t_ns)
	return 0;
}

/* Adds up neighbours with the same key; the first of them gives time and object. */
static void merge_groups(struct builder *b, bool with_via)
{
	struct group *to = NULL, *from;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < b->groups.cnt; i++) {
		from = &b->groups.at[i];
		if (to && key_order_short(&to->key, &from->key) == 0 &&
		    (!with_via || to->key.via == from->key.via)) {
			to->ns += from->ns;
			to->sure_ns += from->sure_ns;
			if (from->confidence > to->confidence)
				to->confidence = from->confidence;
			continue;
		}
		to = &b->groups.at[kept++];
		*to = *from;
	}
	b->groups.cnt = kept;
}

static int collect(struct builder *b)
{
	const struct kp_piece *p;
	struct group group;

	for (uint32_t i = 0; i < b->walk->pieces.cnt; i++) {
		p = &b->walk->pieces.at[i];
		group = (struct group){.key = key_of(b, p),
				       .ns = p->t1_ns - p->t0_ns,
				       .sure_ns = sure_part(b->walk, p),
				       .t_ns = p->t0_ns,
				       .obj = p->obj,
				       .confidence = p->confidence};
		if (KP_VEC_PUSH(&b->groups, group) < 0)
			return -ENOMEM;
	}
	return 0;
}

static struct kp_who cause_of(struct builder *b, uint8_t kind, uint32_t cause, uint64_t obj,
			      uint64_t t_ns)
{
	struct kp_who who = who_of(b, cause, t_ns);

	kp_evidence_object(b->walk->model, kind, obj, &b->report->arena, &who);
	return who;
}

static int bucket_order(const void *a, const void *b)
{
	const struct kp_bucket *x = a, *y = b;

	COMPARE(y->ns, x->ns)
	COMPARE(x->kind, y->kind)
	COMPARE(x->cause.tid, y->cause.tid)
	return strcmp(x->via, y->via);
}

static int make_buckets(struct builder *b)
{
	struct kp_bucket bucket;
	const struct group *g;
	uint64_t sum = 0;

	if (b->groups.cnt)
		qsort(b->groups.at, b->groups.cnt, sizeof(*b->groups.at), group_order);
	merge_groups(b, true);
	for (uint32_t i = 0; i < b->groups.cnt; i++) {
		g = &b->groups.at[i];
		bucket = (struct kp_bucket){
			.kind = g->key.kind,
			.detail = g->key.detail,
			.confidence = g->confidence,
			.via = b->vias.at[g->key.via].text,
			.ns = g->ns,
			.cause = cause_of(b, g->key.kind, g->key.cause, g->obj, g->t_ns),
			.task = who_of(b, g->key.task, g->t_ns),
		};
		if (KP_VEC_PUSH(&b->report->buckets, bucket) < 0)
			return -ENOMEM;
		sum += g->ns;
	}
	assert(sum == b->report->t1_ns - b->report->t0_ns);
	if (b->report->buckets.cnt)
		qsort(b->report->buckets.at, b->report->buckets.cnt, sizeof(bucket), bucket_order);
	return 0;
}

/* --- causes --- */

static int cause_order(const void *a, const void *b)
{
	const struct kp_cause *x = a, *y = b;

	COMPARE(y->excess_ns, x->excess_ns)
	COMPARE(y->ns, x->ns)
	COMPARE(x->kind, y->kind)
	COMPARE(x->cause.tid, y->cause.tid)
	return strcmp(x->text, y->text);
}

/* Shares are of all that is above normal: they lie between 0 and 100 however near to normal the
 * whole is. */
static void rank(struct kp_report *r)
{
	struct kp_cause *c;
	double above = 0;

	for (uint32_t i = 0; i < r->causes.cnt; i++)
		above += r->causes.at[i].excess_ns > 0 ? (double)r->causes.at[i].excess_ns : 0;
	for (uint32_t i = 0; i < r->causes.cnt; i++) {
		c = &r->causes.at[i];
		c->percent = c->excess_ns > 0 ? 100.0 * (double)c->excess_ns / above : 0;
	}
	if (r->causes.cnt)
		qsort(r->causes.at, r->causes.cnt, sizeof(*r->causes.at), cause_order);
}

static uint8_t met(const struct kp_report *r, uint64_t end_min, uint64_t end_max)
{
	uint64_t left;

	if (!r->deadline_realtime_ns)
		return KP_MET_UNKNOWN;
	if (r->deadline_ns >= r->t1_ns)
		return KP_MET_YES;
	/* How much earlier it must have ended. */
	left = r->t1_ns - r->deadline_ns;
	if (r->t1_ns - end_max >= left)
		return KP_MET_YES;
	return r->t1_ns - end_min < left ? KP_MET_NO : KP_MET_UNKNOWN;
}

/* How long a request queued, and behind which, is one and the same cause. */
static uint8_t detail_identity(uint8_t kind, uint8_t detail)
{
	bool is_request = kind == KP_B_disk || kind == KP_B_fault;

	return is_request && (detail == KP_D_queued || detail == KP_D_shared) ? KP_D_none : detail;
}

/* What one process does in one role is one cause, whomever of those on the way it delayed. */
static void generalize(struct builder *b, struct group *g)
{
	const struct kp_model *m = b->walk->model;
	bool has_cause = g->key.cause != KP_NONE;

	g->cause = g->key.cause;
	g->task = g->key.task;
	g->detail = g->key.detail;
	g->key.cause = kp_role_first(m, &b->roles, g->cause, g->t_ns);
	g->key.task = has_cause ? 0 : kp_role_first(m, &b->roles, g->task, g->t_ns);
	g->key.detail = detail_identity(g->key.kind, g->detail);
	if (g->key.kind == KP_B_run_queue && has_cause && g->cause)
		g->key.obj = 0;
}

static int make_causes(struct builder *b)
{
	struct kp_report *r = b->report;
	struct kp_cause cause;
	const struct group *g;

	for (uint32_t i = 0; i < b->groups.cnt; i++)
		generalize(b, &b->groups.at[i]);
	if (b->groups.cnt)
		qsort(b->groups.at, b->groups.cnt, sizeof(*b->groups.at), group_order_short);
	merge_groups(b, false);
	for (uint32_t i = 0; i < b->groups.cnt; i++) {
		g = &b->groups.at[i];
		cause = (struct kp_cause){
			.kind = g->key.kind,
			.detail = g->detail,
			.confidence = g->confidence,
			.via = b->vias.at[g->key.via].text,
			.ns = g->ns,
			.excess_ns = (int64_t)g->ns,
			.end_min_ns = r->t1_ns - g->ns,
			.end_max_ns = r->t1_ns - g->sure_ns,
			.cause = cause_of(b, g->key.kind, g->cause, g->obj, g->t_ns),
			.task = who_of(b, g->task, g->t_ns),
		};
		cause.met = met(r, cause.end_min_ns, cause.end_max_ns);
		cause.text = kp_evidence_cause(&cause, &r->task, &r->arena);
		if (!cause.text || KP_VEC_PUSH(&r->causes, cause) < 0)
			return -ENOMEM;
	}
	rank(r);
	return 0;
}

/* --- path and graph --- */

static bool same_step(const struct builder *b, const struct kp_piece *p, const struct kp_piece *q)
{
	struct key x = key_of(b, p), y = key_of(b, q);

	return key_order_short(&x, &y) == 0 && p->wait == q->wait && p->confidence == q->confidence;
}

static int make_path(struct builder *b)
{
	const struct kp_piece *p, *last = NULL;
	struct kp_report *r = b->report;
	const struct kp_wait *wait;
	struct kp_step step;

	for (uint32_t i = 0; i < b->walk->pieces.cnt; i++, last = p) {
		p = &b->walk->pieces.at[i];
		if (last && same_step(b, last, p)) {
			r->path.at[r->path.cnt - 1].t1_ns = p->t1_ns;
			continue;
		}
		wait = p->wait == KP_NONE ? NULL : &b->walk->waits.at[p->wait];
		step = (struct kp_step){
			.t0_ns = p->t0_ns,
			.t1_ns = p->t1_ns,
			.kind = p->kind,
			.detail = p->detail,
			.confidence = p->confidence,
			.edge = wait ? wait->rule->name : "",
			.via = b->vias.at[wait ? b->wait_via[p->wait] : 0].text,
			.task = who_of(b, p->task, p->t0_ns),
			.cause = cause_of(b, p->kind, p->cause, p->obj, p->t0_ns),
		};
		if (KP_VEC_PUSH(&r->path, step) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What the edge from a piece to the time that it explains is called. */
static const char *edge_name(uint8_t kind)
{
	switch (kind) {
	case KP_B_on_cpu:
		return "ran";
	case KP_B_run_queue:
		return "ran-instead";
	case KP_B_irq:
		return "stole";
	default:
		return kp_bucket_name(kind);
	}
}

/* A node, and the edge from it, whose cause it becomes. */
static int add_node(struct kp_report *r, const struct kp_node *node, struct kp_edge edge)
{
	edge.cause = r->nodes.cnt;
	edge.ns = node->t1_ns - node->t0_ns;
	return KP_VEC_PUSH(&r->nodes, *node) < 0 || KP_VEC_PUSH(&r->edges, edge) < 0 ? -ENOMEM : 0;
}

/* What a wait, or a piece, that another wait led to explains. */
static uint32_t effect_of(uint32_t wait)
{
	return wait == KP_NONE ? 0 : wait + 1;
}

static int add_wait(struct builder *b, const struct kp_wait *wait)
{
	struct kp_report *r = b->report;
	struct kp_node node = {wait->t0_ns, wait->t1_ns, "wait", who_of(b, wait->task, wait->t0_ns),
			       who_of(b, wait->waker, wait->wake_ns)};
	struct kp_edge edge = {.effect = effect_of(wait->parent),
			       .kind = wait->rule->name,
			       .confidence = wait->confidence};

	return add_node(r, &node, edge) < 0 ? -ENOMEM
					    : kp_evidence_wait(b->walk, wait, r->nodes.cnt - 1, r);
}

/* p: the step's first piece */
static int add_step(struct builder *b, struct kp_step *s, const struct kp_piece *p)
{
	struct kp_report *r = b->report;
	struct kp_node node = {s->t0_ns, s->t1_ns, kp_bucket_name(s->kind), s->task, s->cause};
	struct kp_edge edge = {.effect = effect_of(p->wait),
			       .kind = edge_name(s->kind),
			       .confidence = s->confidence};

	s->node = r->nodes.cnt;
	return add_node(r, &node, edge) < 0 ? -ENOMEM : kp_evidence_piece(b->walk, p, s->node, r);
}

static int make_graph(struct builder *b)
{
	struct kp_report *r = b->report;
	const struct kp_walk *w = b->walk;
	struct kp_node window = {.t0_ns = r->t0_ns,
				 .t1_ns = r->t1_ns,
				 .kind = "window",
				 .task = r->task,
				 .cause = who_of(b, KP_NONE, 0)};

	if (KP_VEC_PUSH(&r->nodes, window) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->waits.cnt; i++)
		if (add_wait(b, &w->waits.at[i]) < 0)
			return -ENOMEM;
	for (uint32_t i = 0, p = 0; i < r->path.cnt; i++) {
		while (w->pieces.at[p].t0_ns != r->path.at[i].t0_ns)
			p++;
		if (add_step(b, &r->path.at[i], &w->pieces.at[p]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Gaps listed at most; the rest only makes the report incomplete. */
#define GAPS_MAX 1000
#define GAP_WORK_MAX 10000000u

/* Groups whose loss can change the answer. */
static bool loss_matters(uint32_t group)
{
	return group != KP_GROUP_payload && group != KP_GROUP_clock && group != KP_GROUP_meta;
}

static bool overlaps(const struct kp_loss *loss, uint64_t t0_ns, uint64_t t1_ns)
{
	return loss->from_ns <= t1_ns && loss->to_ns >= t0_ns;
}

static bool is_lost(const struct kp_piece *piece)
{
	return piece->kind == KP_B_unknown && piece->detail == KP_D_lost;
}

static bool matters(const struct kp_loss *gap, const struct kp_walk *walk, uint32_t *work)
{
	const struct kp_piece *p;

	for (uint32_t i = 0; i < walk->pieces.cnt && *work < GAP_WORK_MAX; i++, (*work)++) {
		p = &walk->pieces.at[i];
		if (is_lost(p) && overlaps(gap, p->t0_ns, p->t1_ns))
			return true;
	}
	return false;
}

/* Of the gaps in the switches of CPUs those by which something in the report is unknown. */
static int list_gaps(struct kp_report *r, const struct kp_walk *walk)
{
	const struct kp_model *m = walk->model;
	uint32_t work = 0;

	for (uint32_t i = 0; i < walk->pieces.cnt; i++)
		r->complete &= !is_lost(&walk->pieces.at[i]);
	for (uint32_t i = 0; i < m->gaps.cnt && r->lost.cnt < GAPS_MAX && work < GAP_WORK_MAX; i++)
		if (overlaps(&m->gaps.at[i], r->t0_ns, r->t1_ns) &&
		    matters(&m->gaps.at[i], walk, &work) &&
		    KP_VEC_PUSH(&r->lost, m->gaps.at[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int list_losses(struct kp_report *r, const struct kp_walk *walk)
{
	const struct kp_model *m = walk->model;
	const struct kp_loss *loss;

	r->complete = r->t0_ns >= m->first_ns && r->t1_ns <= m->last_ns;
	for (uint32_t i = 0; i < m->losses.cnt; i++) {
		loss = &m->losses.at[i];
		if (!overlaps(loss, r->t0_ns, r->t1_ns) || !loss_matters(loss->group))
			continue;
		r->complete = false;
		if (KP_VEC_PUSH(&r->lost, *loss) < 0)
			return -ENOMEM;
	}
	return list_gaps(r, walk);
}

#define TIERS_MAX 8 /* named in a report */

/* "waits without tcp irq" */
static void put_tier(const struct kp_tier_change *tier, struct kp_buf *out)
{
	const char *name = kp_tier_name(tier->tier), *between = " without ";
	uint32_t absent = tier->absent;

	kp_buf_puts(out, name ? name : "unknown");
	if (tier->tier == KP_TIER_none) /* which says so */
		absent &= ~(1u << KP_GROUP_sched);
	for (unsigned group = 0; group < KP_GROUP_CNT; group++) {
		if (!(absent >> group & 1))
			continue;
		kp_buf_printf(out, "%s%s", between, kp_group_name(group));
		between = " ";
	}
}

/* What was recorded at that time, in its order. NULL: out of memory. */
static const char *tiers_of(struct kp_report *r, const struct kp_model *m)
{
	uint32_t i = kp_model_tier(m, r->t0_ns), cnt = 0;
	struct kp_buf text = {0};

	for (; i < m->tiers.cnt && (!cnt || m->tiers.at[i].t_ns < r->t1_ns); i++) {
		if (cnt++ == TIERS_MAX) {
			kp_buf_puts(&text, ",...");
			break;
		}
		kp_buf_puts(&text, text.len ? "," : "");
		put_tier(&m->tiers.at[i], &text);
	}
	return kp_arena_take(&r->arena, &text);
}

int kp_report_build(struct kp_report *report, const struct kp_walk *walk)
{
	struct builder b = {.report = report, .walk = walk};
	int err = -ENOMEM;

	b.comms = calloc(walk->model->names.cnt + 1, sizeof(*b.comms));
	b.wait_via = calloc(walk->waits.cnt + 1, sizeof(*b.wait_via));
	report->recorded = tiers_of(report, walk->model);
	if (!b.comms || !b.wait_via || !report->recorded)
		goto out;
	if (via_all(&b) < 0 || collect(&b) < 0 || make_buckets(&b) < 0 || make_causes(&b) < 0 ||
	    make_path(&b) < 0 || make_graph(&b) < 0 || list_losses(report, walk) < 0)
		goto out;
	err = 0;
out:
	free(b.comms);
	kp_map_done(&b.copies);
	kp_map_done(&b.roles);
	free(b.wait_via);
	KP_VEC_DONE(&b.vias);
	KP_VEC_DONE(&b.groups);
	return err;
}

/* --- baseline --- */

/* Whose requests a disk served, and how they queued, differs from one sync to the next: what is
 * normal is its time. */
static bool same_cause(const struct kp_cause *a, const struct kp_cause *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == KP_B_disk || a->kind == KP_B_fault)
		return strcmp(a->cause.value, b->cause.value) == 0;
	return a->detail == b->detail && kp_role_same(a->cause.comm, b->cause.comm);
}

static uint64_t sum_like(const struct kp_report *r, const struct kp_cause *cause)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < r->causes.cnt; i++)
		if (same_cause(&r->causes.at[i], cause))
			ns += r->causes.at[i].ns;
	return ns;
}

static int u64_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t median(uint64_t *list, uint32_t n)
{
	qsort(list, n, sizeof(*list), u64_order);
	return n % 2 ? list[n / 2] : list[n / 2 - 1] / 2 + list[n / 2] / 2;
}

int kp_report_compare(struct kp_report *report, const struct kp_report *normal, uint32_t n)
{
	uint64_t *list, usual, all;
	struct kp_cause *cause;

	if (n == 0)
		return 0;
	list = malloc(n * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		list[i] = normal[i].t1_ns - normal[i].t0_ns;
	report->baseline_cnt = n;
	report->baseline_ns = median(list, n);
	for (uint32_t k = 0; k < report->causes.cnt; k++) {
		cause = &report->causes.at[k];
		for (uint32_t i = 0; i < n; i++)
			list[i] = sum_like(&normal[i], cause);
		usual = median(list, n);
		/* Several causes with one name share what is usual for it. */
		all = sum_like(report, cause);
		cause->excess_ns = (int64_t)cause->ns -
				   (int64_t)((double)usual * (double)cause->ns / (double)all);
	}
	rank(report);
	free(list);
	return 0;
}
