/* SPDX-License-Identifier: MIT
 *
 * What lost events leave unknown. A hole is a time in which one CPU (or, if that is not known, any)
 * did more than the log has. It makes unknown only what it can have changed: a task's state is
 * certain while its record and the next one agree that nothing came between, and the next one shows
 * that the task was not where the hole is. From the hole on it is unknown until the task is seen
 * again, or until the hole's end if the next record confirms the old state.
 *
 * A hole shows in two ways: the recorder counted what it lost (kp_loss), or the switches of a CPU
 * do not chain: who leaves it is not who came last. The kernel then switched without telling.
 */
#include <string.h>

#include "analyze/ingest.h"

/* So often a state is taken up again between two records; then it is unknown up to the last hole.
 */
#define AGAIN_MAX 16
/* Holes and records after which the memory in use is looked at. */
#define LOOK_EACH 4096

static bool is_queued(const struct kp_rec *rec)
{
	return rec->kind == KP_REC_RUNNABLE || rec->kind == KP_REC_WAKE ||
	       rec->kind == KP_REC_MIGRATE;
}

/* --- switches that do not chain --- */

/* gap: index of the gap by which it is unknown, or KP_NONE. */
static int lose(struct kp_model *m, uint32_t task, uint64_t t_ns, uint16_t cpu, uint32_t gap)
{
	struct kp_rec lost = {.t_ns = t_ns, .cpu = cpu, .kind = KP_REC_LOST, .aux = gap};
	const struct kp_task *t = &m->tasks.at[task];
	const struct kp_rec *last = t->recs.cnt ? &t->recs.at[t->recs.cnt - 1] : NULL;

	if (!task || (last && (last->kind == KP_REC_DEAD || last->kind == KP_REC_LOST)))
		return 0;
	/* It cannot have run on two CPUs: when it left the other one nobody saw. */
	if (last && last->kind == KP_REC_RUN && last->cpu != cpu) {
		lost.t_ns = last->t_ns;
		lost.aux = KP_NONE;
	}
	m->tasks.at[task].has_lost = true;
	return kp_model_rec_push(m, task, lost);
}

int kp_model_lose(struct kp_model *m, uint32_t task, uint64_t t_ns, uint16_t cpu)
{
	return lose(m, task, t_ns, cpu, KP_NONE);
}

int kp_model_chain(struct kp_model *m, uint16_t cpu, uint32_t prev, uint64_t t_ns)
{
	struct kp_cpu *c = kp_model_cpu_get(m, cpu);
	struct kp_loss gap = {.to_ns = t_ns, .group = KP_GROUP_sched, .cpu = cpu};
	const struct kp_rec *last;
	struct kp_occupant *occ;
	struct kp_task *t;

	if (!c)
		return -ENOMEM;
	occ = c->occupants.cnt ? &c->occupants.at[c->occupants.cnt - 1] : NULL;
	if (!occ || occ->task == prev)
		return 0;
	gap.from_ns = occ->t_ns;
	if (KP_VEC_PUSH(&m->gaps, gap) < 0)
		return -ENOMEM;
	/* Who came then: how long it ran nobody saw. */
	t = &m->tasks.at[occ->task];
	last = t->recs.cnt ? &t->recs.at[t->recs.cnt - 1] : NULL;
	if (last && last->kind == KP_REC_RUN && last->cpu == cpu &&
	    lose(m, occ->task, last->t_ns, cpu, m->gaps.cnt - 1) < 0)
		return -ENOMEM;
	/* Who leaves now: since when it ran nobody saw; before the gap it did not. */
	return lose(m, prev, gap.from_ns, cpu, m->gaps.cnt - 1);
}

/* --- holes --- */

static int hole_order(const void *a, const void *b)
{
	const struct kp_interval *x = a, *y = b;

	return x->t0_ns < y->t0_ns ? -1 : x->t0_ns > y->t0_ns;
}

/* Sorts by begin; what touches becomes one. */
static void join_holes(kp_holes *holes)
{
	struct kp_interval *list = holes->at;
	uint32_t kept = 0;

	if (!holes->cnt)
		return;
	qsort(list, holes->cnt, sizeof(*list), hole_order);
	for (uint32_t i = 1; i < holes->cnt; i++)
		if (list[i].t0_ns > list[kept].t1_ns)
			list[++kept] = list[i];
		else if (list[i].t1_ns > list[kept].t1_ns)
			list[kept].t1_ns = list[i].t1_ns;
	holes->cnt = kept + 1;
}

/* The first hole of the list that overlaps [lo, hi); NULL: none does. */
static const struct kp_interval *first_hole(const kp_holes *holes, uint64_t lo, uint64_t hi)
{
	uint32_t i = kp_interval_find(holes->at, holes->cnt, lo);

	return i < holes->cnt && holes->at[i].t0_ns < hi ? &holes->at[i] : NULL;
}

/* The end of the last one that begins before hi; there is one. */
static uint64_t last_end(const kp_holes *holes, uint64_t hi)
{
	uint32_t lo = 0, n = holes->cnt, mid;

	while (lo < n) {
		mid = lo + (n - lo) / 2;
		if (holes->at[mid].t0_ns < hi)
			lo = mid + 1;
		else
			n = mid;
	}
	return holes->at[lo - 1].t1_ns;
}

/* The holes of the CPU, or with KP_NONE of any. */
static const kp_holes *holes_of(const struct kp_model *m, uint32_t cpu)
{
	return cpu < m->cpus.cnt ? &m->cpus.at[cpu].holes : &m->holes;
}

static int add_hole(kp_holes *holes, const struct kp_loss *loss)
{
	struct kp_interval hole = {loss->from_ns, loss->to_ns, 0};

	/* One nanosecond at least, so that a loss at a single instant is a hole too. */
	if (hole.t1_ns <= hole.t0_ns)
		hole.t1_ns = hole.t0_ns + 1;
	return KP_VEC_PUSH(holes, hole);
}

/* m->holes: of any CPU; a CPU's: its own, and those whose CPU is not known. */
static int collect(struct kp_model *m)
{
	const struct kp_loss *loss;
	uint32_t first, end, added = 0;

	for (uint32_t i = 0; i < m->losses.cnt; i++) {
		loss = &m->losses.at[i];
		if (loss->group != KP_NONE && loss->group != KP_GROUP_sched)
			continue;
		first = loss->cpu < m->cpus.cnt ? loss->cpu : 0;
		end = loss->cpu < m->cpus.cnt ? first + 1 : m->cpus.cnt;
		if (add_hole(&m->holes, loss) < 0)
			return -ENOMEM;
		for (uint32_t cpu = first; cpu < end; cpu++)
			if (add_hole(&m->cpus.at[cpu].holes, loss) < 0)
				return -ENOMEM;
		added += end - first;
		if (added >= LOOK_EACH && kp_model_is_full(m, 0))
			return -E2BIG;
		added %= LOOK_EACH;
	}
	join_holes(&m->holes);
	for (uint32_t cpu = 0; cpu < m->cpus.cnt; cpu++)
		join_holes(&m->cpus.at[cpu].holes);
	return 0;
}

/* --- what they make unknown --- */

/* Whether the next record says that the state of this one held until then. */
static bool confirms(const struct kp_rec *rec, const struct kp_rec *next)
{
	switch (rec->kind) {
	case KP_REC_RUN:
		return next->cpu == rec->cpu &&
		       (next->kind == KP_REC_RUNNABLE || next->kind == KP_REC_BLOCKED ||
			next->kind == KP_REC_DEAD);
	case KP_REC_BLOCKED:
		return next->kind == KP_REC_WAKE;
	default:
		return is_queued(rec) && (next->kind == KP_REC_RUN || next->kind == KP_REC_MIGRATE);
	}
}

/*
 * The CPU whose holes can have changed the state between two records; KP_NONE: any. A task that is
 * woken names the CPU where it ran last: had it run elsewhere meanwhile, it would be that one.
 */
static uint32_t endangered_by(const struct kp_rec *rec, const struct kp_rec *next)
{
	return next && confirms(rec, next) && rec->cpu == next->cpu &&
			       !(rec->flags & KP_RECF_SNAPSHOT)
		       ? rec->cpu
		       : KP_NONE;
}

/* Where the losses in a gap were counted it begins with the first of them. */
static void narrow_gaps(struct kp_model *m)
{
	const struct kp_interval *hole;
	struct kp_loss *gap;

	for (uint32_t i = 0; i < m->gaps.cnt; i++) {
		gap = &m->gaps.at[i];
		hole = gap->cpu < m->cpus.cnt
			       ? first_hole(&m->cpus.at[gap->cpu].holes, gap->from_ns, gap->to_ns)
			       : NULL;
		if (hole && hole->t0_ns > gap->from_ns)
			gap->from_ns = hole->t0_ns;
	}
}

/* Likewise what is unknown by it. */
static void apply_gaps(const struct kp_model *m, struct kp_task *t)
{
	struct kp_rec *rec, *next;
	uint64_t from_ns;

	for (uint32_t i = 0; i < t->recs.cnt && t->has_lost; i++) {
		rec = &t->recs.at[i];
		next = i + 1 < t->recs.cnt ? rec + 1 : NULL;
		if (rec->kind != KP_REC_LOST || rec->aux == KP_NONE)
			continue;
		from_ns = m->gaps.at[rec->aux].from_ns;
		if (next && from_ns > next->t_ns)
			from_ns = next->t_ns;
		if (from_ns > rec->t_ns)
			rec->t_ns = from_ns;
	}
}

typedef KP_VEC(struct kp_rec) rec_list;

static int push_lost(rec_list *out, const struct kp_rec *rec, uint64_t t_ns)
{
	struct kp_rec lost = {.t_ns = t_ns, .cpu = rec->cpu, .kind = KP_REC_LOST};

	return KP_VEC_PUSH(out, lost);
}

/* Copies a record, with what the holes between it and the next one leave of its state. */
static int mark_stretch(const struct kp_model *m, const struct kp_rec *rec,
			const struct kp_rec *next, rec_list *out)
{
	const kp_holes *holes = holes_of(m, endangered_by(rec, next));
	uint64_t lo = rec->t_ns, hi = next ? next->t_ns : KP_NEVER;
	bool confirmed = next && confirms(rec, next);
	const struct kp_interval *hole;
	struct kp_rec again = *rec;

	if (KP_VEC_PUSH(out, *rec) < 0)
		return -ENOMEM;
	if (rec->kind == KP_REC_LOST || rec->kind == KP_REC_DEAD)
		return 0;
	for (int n = 1; (hole = first_hole(holes, lo, hi)); n++) {
		if (push_lost(out, rec, hole->t0_ns > lo ? hole->t0_ns : lo) < 0)
			return -ENOMEM;
		lo = n < AGAIN_MAX ? hole->t1_ns : last_end(holes, hi);
		if (!confirmed || lo >= hi)
			break;
		again.t_ns = lo;
		if (KP_VEC_PUSH(out, again) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Before the first record: what it says of before holds back to the last hole. */
static int mark_begin(const struct kp_model *m, const struct kp_rec *first, rec_list *out)
{
	struct kp_rec before = {.cpu = first->cpu, .kind = KP_REC_BEFORE};

	if (!first_hole(&m->holes, 0, first->t_ns))
		return 0;
	before.t_ns = last_end(&m->holes, first->t_ns);
	if (push_lost(out, first, 0) < 0)
		return -ENOMEM;
	return before.t_ns < first->t_ns ? KP_VEC_PUSH(out, before) : 0;
}

static int mark_task(const struct kp_model *m, struct kp_task *t)
{
	rec_list out = {0};
	int err = t->recs.cnt ? mark_begin(m, &t->recs.at[0], &out) : 0;

	for (uint32_t i = 0; i < t->recs.cnt && err >= 0; i++) {
		err = mark_stretch(m, &t->recs.at[i],
				   i + 1 < t->recs.cnt ? &t->recs.at[i + 1] : NULL, &out);
		if (err >= 0 && i % LOOK_EACH == LOOK_EACH - 1 && kp_model_is_full(m, 0))
			err = -E2BIG;
	}
	if (err < 0) {
		KP_VEC_DONE(&out);
		return err;
	}
	t->has_lost |= out.cnt != t->recs.cnt;
	free(t->recs.at);
	t->recs.at = out.at;
	t->recs.cnt = out.cnt;
	t->recs.cap = out.cap;
	return 0;
}

typedef KP_VEC(struct kp_occupant) occupant_list;

/* Who had the CPU from an occupant on: nobody known in a hole, behind it who leaves it first; nor
 * if that is somebody else and no hole says since when. */
static int mark_occupant(const kp_holes *holes, const struct kp_occupant *occ,
			 const struct kp_occupant *next, occupant_list *out)
{
	struct kp_occupant nobody = {.task = KP_NONE, .prev = KP_NONE}, again = nobody;
	uint64_t lo = occ->t_ns, hi = next ? next->t_ns : KP_NEVER;
	const struct kp_interval *hole;

	again.task = next ? next->prev : KP_NONE;
	if (next && next->prev != occ->task && !first_hole(holes, lo, hi)) {
		nobody.t_ns = lo;
		return KP_VEC_PUSH(out, nobody);
	}
	if (KP_VEC_PUSH(out, *occ) < 0)
		return -ENOMEM;
	for (int n = 1; (hole = first_hole(holes, lo, hi)); n++) {
		nobody.t_ns = hole->t0_ns > lo ? hole->t0_ns : lo;
		lo = again.t_ns = n < AGAIN_MAX ? hole->t1_ns : last_end(holes, hi);
		if (KP_VEC_PUSH(out, nobody) < 0)
			return -ENOMEM;
		if (!next || lo >= hi)
			break;
		if (KP_VEC_PUSH(out, again) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int mark_cpu(struct kp_cpu *cpu)
{
	const struct kp_occupant *occ = cpu->occupants.at;
	uint32_t cnt = cpu->occupants.cnt;
	occupant_list out = {0};
	int err = 0;

	for (uint32_t i = 0; i < cnt && err >= 0; i++)
		err = mark_occupant(&cpu->holes, &occ[i], i + 1 < cnt ? &occ[i + 1] : NULL, &out);
	if (err < 0) {
		KP_VEC_DONE(&out);
		return err;
	}
	free(cpu->occupants.at);
	cpu->occupants.at = out.at;
	cpu->occupants.cnt = out.cnt;
	cpu->occupants.cap = out.cap;
	return 0;
}

int kp_model_mark_holes(struct kp_model *m)
{
	int err = collect(m);

	narrow_gaps(m);
	for (uint32_t i = 1; i < m->tasks.cnt && err >= 0 && m->holes.cnt; i++) {
		apply_gaps(m, &m->tasks.at[i]);
		err = mark_task(m, &m->tasks.at[i]);
	}
	for (uint32_t i = 0; i < m->cpus.cnt && err >= 0 && (m->holes.cnt || m->gaps.cnt); i++)
		err = mark_cpu(&m->cpus.at[i]);
	return err;
}
