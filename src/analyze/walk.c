/* SPDX-License-Identifier: MIT
 *
 * The partition of a task's time; see walk.h. What lost events leave unknown stands in the task's
 * records (holes.c), so that a state is never joined across it. Work and depth are bounded; what is
 * cut becomes unknown.
 */
#include "analyze/walk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "analyze/path.h"
#include "analyze/rules.h"
#include "base/num.h"
#include "event/syscall.h"

/* Steps after which a walk gives up, a few seconds' worth. */
#define WORK_MAX 50000000u
/* How far back the last wait of a system call is looked for. */
#define MERGE_MAX 4096
#define RESTART_MAX 16
/* Pieces after which the memory in use is looked at. */
#define LOOK_EACH 4096
/* What a report takes for a piece, with its words. */
#define STEP_LEN 512ull

struct state {
	uint8_t kind; /* KP_REC_, or STATE_UNKNOWN */
	uint16_t cpu;
	uint8_t flags;
	const struct kp_rec *rec; /* the record that began it, or NULL if it is inferred */
};
#define STATE_UNKNOWN 0xff

const char *kp_bucket_name(unsigned kind)
{
	static const char *const names[] = {
#define X(name) #name,
		KP_BUCKETS(X)
#undef X
	};
	return kind < KP_B_CNT ? names[kind] : "unknown";
}

static const char *const details[][2] = {
#define X(name, text) {#name, text},
	KP_DETAILS(X)
#undef X
};

const char *kp_detail_name(unsigned detail)
{
	return detail && detail < KP_D_CNT ? details[detail][0] : "";
}

const char *kp_detail_text(unsigned detail)
{
	return detail < KP_D_CNT ? details[detail][1] : "";
}

/* Makes it a piece without an explanation; true: it is now part of the one before. */
static bool cut(struct kp_walk *walk, struct kp_piece *piece)
{
	struct kp_piece *last = &walk->pieces.at[walk->pieces.cnt - 1];

	if (last->kind == KP_B_unknown && last->detail == KP_D_cut && last->t1_ns == piece->t0_ns) {
		last->t1_ns = piece->t1_ns;
		return true;
	}
	piece->kind = KP_B_unknown;
	piece->detail = KP_D_cut;
	piece->obj = KP_NO_OBJ;
	piece->cause = KP_NONE;
	piece->confidence = 'D';
	return false;
}

void kp_walk_emit(struct kp_walk *walk, struct kp_piece piece)
{
	if (piece.t0_ns >= piece.t1_ns || walk->failed)
		return;
	if (walk->pieces.cnt % LOOK_EACH == LOOK_EACH - 1 && !walk->full)
		walk->full = kp_model_is_full(walk->model, walk->pieces.cnt * STEP_LEN);
	if (walk->full && cut(walk, &piece))
		return;
	if (piece.wait != KP_NONE && walk->waits.at[piece.wait].confidence > piece.confidence)
		piece.confidence = walk->waits.at[piece.wait].confidence;
	if (KP_VEC_PUSH(&walk->pieces, piece) < 0)
		walk->failed = true;
}

uint32_t kp_walk_wait(struct kp_walk *walk, struct kp_wait wait)
{
	if (wait.parent != KP_NONE && walk->waits.at[wait.parent].confidence > wait.confidence)
		wait.confidence = walk->waits.at[wait.parent].confidence;
	if (KP_VEC_PUSH(&walk->waits, wait) < 0) {
		walk->failed = true;
		return KP_NONE;
	}
	return walk->waits.cnt - 1;
}

static void emit_unknown(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi,
			 uint32_t wait, uint8_t detail)
{
	kp_walk_emit(walk, (struct kp_piece){.t0_ns = lo,
					     .t1_ns = hi,
					     .obj = KP_NO_OBJ,
					     .task = task,
					     .cause = KP_NONE,
					     .wait = wait,
					     .kind = KP_B_unknown,
					     .detail = detail,
					     .confidence = 'D'});
}

/* On a CPU: interrupts taken out, the rest is the task's own. */
static void walk_running(struct kp_walk *walk, uint32_t task, const struct state *st, uint64_t lo,
			 uint64_t hi, uint32_t wait)
{
	struct kp_piece own = {.obj = st->cpu,
			       .task = task,
			       .cause = task,
			       .wait = wait,
			       .kind = KP_B_on_cpu,
			       .confidence = 'A'};
	struct kp_piece stolen = {
		.task = task, .cause = KP_NONE, .wait = wait, .kind = KP_B_irq, .confidence = 'A'};
	const struct kp_cpu *cpu =
		st->cpu < walk->model->cpus.cnt ? &walk->model->cpus.at[st->cpu] : NULL;
	uint32_t i = cpu ? kp_interval_find(cpu->irqs.at, cpu->irqs.cnt, lo) : 0;

	for (; cpu && i < cpu->irqs.cnt && cpu->irqs.at[i].t0_ns < hi; i++) {
		own.t0_ns = lo;
		own.t1_ns = cpu->irqs.at[i].t0_ns;
		kp_walk_emit(walk, own);
		stolen.t0_ns = own.t1_ns > lo ? own.t1_ns : lo;
		stolen.t1_ns = kp_min64(cpu->irqs.at[i].t1_ns, hi);
		stolen.obj = cpu->irqs.at[i].what;
		kp_walk_emit(walk, stolen);
		lo = stolen.t1_ns;
		walk->work++;
	}
	own.t0_ns = lo;
	own.t1_ns = hi;
	kp_walk_emit(walk, own);
}

/* In a CPU's queue: who had that CPU meanwhile. */
static void walk_runnable(struct kp_walk *walk, uint32_t task, const struct state *st, uint64_t lo,
			  uint64_t hi, uint32_t wait)
{
	struct kp_piece piece = {.obj = st->cpu,
				 .task = task,
				 .wait = wait,
				 .kind = KP_B_run_queue,
				 .confidence = 'A'};
	const struct kp_cpu *cpu =
		st->cpu < walk->model->cpus.cnt ? &walk->model->cpus.at[st->cpu] : NULL;
	uint32_t i = cpu ? kp_cpu_occupant(cpu, lo) : KP_NONE, end = cpu ? cpu->occupants.cnt : 0;
	const struct kp_occupant *occ;

	for (; lo < hi; lo = piece.t1_ns, i++, walk->work++) {
		piece.t0_ns = lo;
		piece.t1_ns = i + 1 < end ? kp_min64(cpu->occupants.at[i + 1].t_ns, hi) : hi;
		piece.cause = KP_NONE;
		piece.detail = KP_D_none;
		piece.confidence = 'C';
		occ = i < end ? &cpu->occupants.at[i] : NULL;
		if (occ && occ->task != task && occ->task != KP_NONE) {
			piece.cause = occ->task;
			piece.detail = occ->task ? KP_D_none : KP_D_latency;
			piece.confidence = 'A';
		}
		kp_walk_emit(walk, piece);
	}
}

static bool is_stop_state(const struct kp_rec *rec)
{
	return rec->aux & (KP_TASK_STOPPED | KP_TASK_TRACED) || rec->flags & KP_RECF_FROZEN;
}

/* The stop that comes behind the wait of record i, nothing else between them; KP_NONE: none. */
static uint32_t next_stop(const struct kp_task *t, uint32_t i)
{
	while (++i < t->recs.cnt && t->recs.at[i].kind != KP_REC_LOST)
		if (t->recs.at[i].kind == KP_REC_BLOCKED)
			return is_stop_state(&t->recs.at[i]) ? i : KP_NONE;
	return KP_NONE;
}

/* A stop makes some calls fail, and the program makes them again. */
static bool is_again(const struct kp_task *t, const struct kp_call *call)
{
	const struct kp_call *next = call + 1;
	uint32_t i;

	if (call->ret != -EINTR || next == t->calls.at + t->calls.cnt || next->nr != call->nr ||
	    next->arg0 != call->arg0 || next->arg1 != call->arg1)
		return false;
	i = next_stop(t, kp_task_rec(t, call->exit_ns));
	return i != KP_NONE && t->recs.at[i].t_ns <= next->entry_ns;
}

/* The call that goes on with an interrupted one; NULL: none does, or it has not ended yet. */
static const struct kp_call *restart_of(const struct kp_task *t, const struct kp_call *call)
{
	uint32_t i = (uint32_t)(call - t->calls.at), n;
	const struct kp_call *next;

	for (n = 1; n <= 8 && i + n < t->calls.cnt; n++) {
		next = &t->calls.at[i + n];
		if (next->nr == KP_NR_restart_syscall ||
		    (next->nr == call->nr && next->arg0 == call->arg0))
			return next;
	}
	return NULL;
}

/*
 * The last wait of b->call, from where it began again after a signal if it did: its wake ended the
 * whole wait, those before were false. i is the wait asked about; *ret_last becomes the index of
 * the last one's BLOCKED record. False: the call goes on after the end of the log.
 */
static bool last_wait(const struct kp_task *t, uint32_t i, const struct kp_call *call,
		      uint32_t *ret_last)
{
	const struct kp_call *next;
	uint32_t k, n;

	for (n = 0; n < RESTART_MAX; n++) {
		if (is_again(t, call)) {
			call++;
			continue;
		}
		if (!kp_syscall_restarts(call->ret))
			break;
		next = restart_of(t, call);
		if (!next && call == &t->calls.at[t->calls.cnt - 1] && t->end_ns == KP_NEVER)
			return false;
		if (!next) /* a handler ran instead: the signal ended it */
			break;
		call = next;
	}
	*ret_last = i;
	k = kp_task_rec(t, call->exit_ns);
	for (n = 0; k + 1 > i + 1 && n < MERGE_MAX; k--, n++) /* i may be KP_NONE: before all */
		if (t->recs.at[k].kind == KP_REC_BLOCKED && !is_stop_state(&t->recs.at[k])) {
			*ret_last = k;
			break;
		}
	return true;
}

/* Whether nothing is unknown between two records; not, if they are too far apart to tell. */
static bool is_whole(struct kp_walk *walk, const struct kp_task *t, uint32_t from, uint32_t to)
{
	if (!t->has_lost)
		return true;
	if (to > from + MERGE_MAX)
		return false;
	for (; from <= to; from++, walk->work++)
		if (t->recs.at[from].kind == KP_REC_LOST)
			return false;
	return true;
}

static const struct kp_rec *wake_of(const struct kp_task *t, uint32_t i)
{
	if (i + 1 < t->recs.cnt && t->recs.at[i + 1].kind == KP_REC_WAKE &&
	    t->recs.at[i + 1].aux != KP_NONE)
		return &t->recs.at[i + 1];
	return NULL;
}

/* Whether the wake is that of a stop: it says nothing of what the task waited for. Who stops it is
 * its tracer, or sent it the signal. i: the wait's BLOCKED record. */
static bool is_for_stop(const struct kp_model *m, const struct kp_task *t, uint32_t i,
			const struct kp_rec *wake)
{
	uint32_t stop = next_stop(t, i), waker = m->wakes.at[wake->aux].waker;
	const struct kp_signal *sig;
	const struct kp_rec *end;

	if (stop == KP_NONE || m->wakes.at[wake->aux].ctx & KP_CTX_IRQ)
		return false;
	if (!(t->recs.at[stop].aux & KP_TASK_TRACED)) {
		sig = kp_model_stop_signal(m, t->pid, t->recs.at[stop].t_ns);
		return sig && sig->sender == waker;
	}
	end = wake_of(t, stop);
	return end && waker &&
	       m->tasks.at[m->wakes.at[end->aux].waker].pid == m->tasks.at[waker].pid;
}

static bool on_stack(const struct kp_walk *walk, uint32_t task)
{
	/* The innermost entry is the task itself. */
	for (uint32_t i = 0; i + 1 < walk->depth; i++)
		if (walk->stack[i] == task)
			return true;
	return false;
}

/* Waiting. next: index of the record that ends it. */
static void walk_blocked(struct kp_walk *walk, uint32_t task, const struct kp_rec *rec,
			 uint32_t next, uint64_t lo, uint64_t hi, uint32_t wait)
{
	static const struct kp_rec inferred = {.kind = KP_REC_BLOCKED};
	const struct kp_model *m = walk->model;
	const struct kp_task *t = &m->tasks.at[task];
	struct kp_blocked b = {.lo = lo, .hi = hi, .task = task, .wait = wait};
	const struct kp_rec *wake = wake_of(t, next - 1), *last;
	uint32_t k = next - 1;
	uint64_t end;
	bool ended;

	b.rec = rec ? rec : &inferred;
	b.begin_ns = rec ? rec->t_ns : lo;
	b.call = kp_task_call(t, rec && !(rec->flags & KP_RECF_SNAPSHOT) ? rec->t_ns : lo);
	if (b.call && kp_call_waits(b.call) && !is_stop_state(b.rec) && !on_stack(walk, task)) {
		ended = last_wait(t, next - 1, b.call, &k);
		last = ended ? wake_of(t, k) : NULL;
		if (!ended) {
			wake = NULL;
		} else if (k != next - 1 && last && is_whole(walk, t, next, k)) {
			b.prev_wake_ns = wake ? wake->t_ns : 0;
			wake = last;
		} else {
			k = next - 1;
		}
	}
	if (wake && !is_stop_state(b.rec) && is_for_stop(m, t, k, wake)) {
		wake = NULL;
		b.is_cut = true;
	}
	if (wake)
		b.wake = &m->wakes.at[wake->aux];
	if (b.wake && !(b.wake->ctx & KP_CTX_IRQ) && b.wake->waker)
		b.wake_call = kp_task_call(&m->tasks.at[b.wake->waker], b.wake->t_ns);
	end = b.wake ? b.wake->t_ns : hi;
	b.is_unsure = !b.call && !t->kthread ? !kp_model_tells_calls(m, b.begin_ns, end)
					     : !b.wake_call && !kp_model_tells_calls(m, end, end);
	for (const struct kp_rule *rule = kp_rules; rule->name; rule++)
		if (rule->match(walk, &b)) {
			rule->explain(walk, rule, &b);
			return;
		}
}

/* What the task was before the record `next`, when nothing before tells it. */
static struct state infer(const struct kp_rec *next)
{
	struct state st = {.kind = STATE_UNKNOWN, .cpu = next->cpu};

	if (next->flags & KP_RECF_SNAPSHOT)
		return st;
	switch (next->kind) {
	case KP_REC_RUN:
	case KP_REC_MIGRATE:
		st.kind = KP_REC_RUNNABLE;
		break;
	case KP_REC_WAKE:
		st.kind = KP_REC_BLOCKED;
		break;
	default:
		st.kind = KP_REC_RUN;
		break;
	}
	return st;
}

/* The state from record i on. */
static struct state state_at(const struct kp_task *t, uint32_t i)
{
	const struct kp_rec *rec = i != KP_NONE ? &t->recs.at[i] : NULL;
	const struct kp_rec *next = i + 1 < t->recs.cnt ? &t->recs.at[i + 1] : NULL;
	struct state st = {.kind = STATE_UNKNOWN};

	if (rec && rec->kind != KP_REC_BEFORE) {
		st = (struct state){rec->kind, rec->cpu, rec->flags, rec};
		/* A wake names the CPU where the task ran last, not the one that it goes to. */
		if (rec->kind == KP_REC_WAKE && next && next->kind == KP_REC_RUN)
			st.cpu = next->cpu;
	} else if (next) {
		st = infer(next);
	}
	return st;
}

static void walk_state(struct kp_walk *walk, uint32_t task, const struct state *st, uint32_t next,
		       uint64_t lo, uint64_t hi, uint32_t wait)
{
	switch (st->kind) {
	case KP_REC_RUN:
		walk_running(walk, task, st, lo, hi, wait);
		break;
	case KP_REC_BLOCKED:
		walk_blocked(walk, task, st->rec, next, lo, hi, wait);
		break;
	case KP_REC_RUNNABLE:
	case KP_REC_WAKE:
	case KP_REC_MIGRATE:
		if (st->flags & KP_RECF_THROTTLED)
			kp_walk_emit(walk, (struct kp_piece){.t0_ns = lo,
							     .t1_ns = hi,
							     .obj = st->cpu,
							     .task = task,
							     .cause = task,
							     .wait = wait,
							     .kind = KP_B_throttled,
							     .confidence = 'B'});
		else
			walk_runnable(walk, task, st, lo, hi, wait);
		break;
	default:
		emit_unknown(walk, task, lo, hi, wait,
			     st->kind == KP_REC_LOST ? KP_D_lost : KP_D_state);
	}
}

/* Before its birth a task is explained by the one that made it. */
static void walk_birth(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint32_t wait)
{
	const struct kp_task *t = &walk->model->tasks.at[task];

	if (t->parent == KP_NONE || t->parent == 0 || on_stack(walk, t->parent)) {
		emit_unknown(walk, task, lo, hi, wait, KP_D_state);
		return;
	}
	wait = kp_walk_wait(walk,
			    (struct kp_wait){.t0_ns = lo,
					     .t1_ns = hi,
					     .wake_ns = t->start_ns,
					     .rule = &kp_led_rules[KP_LED_BIRTH],
					     .task = task,
					     .waker = t->parent,
					     .parent = wait,
					     .confidence = kp_led_rules[KP_LED_BIRTH].confidence});
	kp_walk_task(walk, t->parent, lo, hi, wait);
}

/* Reclaim lies over running and waiting alike: the part of [lo, *end) that has one value. */
static bool in_reclaim(const struct kp_task *t, uint64_t lo, uint64_t *end)
{
	uint32_t i = kp_interval_find(t->reclaims.at, t->reclaims.cnt, lo);
	const struct kp_interval *r = i < t->reclaims.cnt ? &t->reclaims.at[i] : NULL;

	if (!r)
		return false;
	*end = kp_min64(*end, r->t0_ns <= lo ? r->t1_ns : r->t0_ns);
	return r->t0_ns <= lo;
}

static void walk_states(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi,
			uint32_t wait)
{
	const struct kp_task *t = &walk->model->tasks.at[task];
	struct kp_piece reclaim = {.obj = KP_NO_OBJ,
				   .task = task,
				   .cause = task,
				   .wait = wait,
				   .kind = KP_B_reclaim,
				   .confidence = 'A'};
	uint32_t i = kp_task_rec(t, lo);
	struct state st;
	uint64_t end;

	while (lo < hi) {
		walk->work++;
		/* Records of the same instant: the last one counts. */
		while (i + 1 < t->recs.cnt && t->recs.at[i + 1].t_ns <= lo)
			i++;
		end = i + 1 < t->recs.cnt ? kp_min64(t->recs.at[i + 1].t_ns, hi) : hi;
		st = state_at(t, i);
		if (in_reclaim(t, lo, &end) &&
		    (st.kind == KP_REC_RUN || st.kind == KP_REC_BLOCKED)) {
			reclaim.t0_ns = lo;
			reclaim.t1_ns = end;
			kp_walk_emit(walk, reclaim);
		} else {
			walk_state(walk, task, &st, i + 1, lo, end, wait);
		}
		lo = end;
	}
}

/* False: it cannot be walked, and what there is to say is said. */
static bool enter(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint32_t wait)
{
	if (lo >= hi || walk->failed)
		return false;
	if (task == KP_NONE || task == 0) {
		emit_unknown(walk, task, lo, hi, wait, KP_D_state);
		return false;
	}
	if (walk->depth == KP_WALK_DEPTH_MAX || walk->work > WORK_MAX || walk->full) {
		emit_unknown(walk, task, lo, hi, wait, KP_D_cut);
		return false;
	}
	walk->stack[walk->depth++] = task;
	return true;
}

void kp_walk_task(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint32_t wait)
{
	uint64_t born;

	if (!enter(walk, task, lo, hi, wait))
		return;
	born = walk->model->tasks.at[task].start_ns;
	if (born > lo) {
		walk_birth(walk, task, lo, kp_min64(born, hi), wait);
		lo = kp_min64(born, hi);
	}
	walk_states(walk, task, lo, hi, wait);
	walk->depth--;
}

/* The last wake, not after t_ns, that gave a kernel thread something to do; KP_NONE: not known. */
static uint32_t work_begin(const struct kp_task *t, uint64_t t_ns)
{
	uint32_t i = kp_task_rec(t, t_ns), n;
	const struct kp_rec *rec, *before;

	for (n = 0; i != KP_NONE && n < MERGE_MAX; i--, n++) {
		rec = &t->recs.at[i];
		before = i ? rec - 1 : NULL;
		if (rec->kind == KP_REC_LOST || rec->kind == KP_REC_BEFORE)
			break;
		if (rec->kind == KP_REC_WAKE && !(rec->flags & KP_RECF_NEW) &&
		    (!before || kp_rec_idles(before)))
			return i;
	}
	return KP_NONE;
}

void kp_walk_worker(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi, uint64_t at_ns,
		    uint32_t wait)
{
	const struct kp_model *m = walk->model;
	const struct kp_task *t = &m->tasks.at[task];
	uint32_t i = work_begin(t, at_ns);
	const struct kp_wake *wake = i != KP_NONE && t->recs.at[i].aux != KP_NONE
					     ? &m->wakes.at[t->recs.at[i].aux]
					     : NULL;
	uint64_t begin = i != KP_NONE ? kp_min64(t->recs.at[i].t_ns, hi) : 0;

	if (begin <= lo) {
		if (wait != KP_NONE && kp_model_is_worker(m, task, at_ns) &&
		    !(wake && wake->waker == walk->waits.at[wait].task) &&
		    walk->waits.at[wait].confidence < 'C')
			walk->waits.at[wait].confidence = 'C';
		kp_walk_task(walk, task, lo, hi, wait);
		return;
	}
	if (enter(walk, task, lo, begin, wait)) {
		walk_blocked(walk, task, i ? &t->recs.at[i - 1] : NULL, i, lo, begin, wait);
		walk->depth--;
	}
	kp_walk_task(walk, task, begin, hi, wait);
}

/* The window, cut at the ends of the log. */
static void walk_window(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi)
{
	const struct kp_model *m = walk->model;
	uint64_t first = kp_min64(hi, m->first_ns), last = kp_min64(hi, m->last_ns);

	if (lo < first) {
		emit_unknown(walk, task, lo, first, KP_NONE, KP_D_outside);
		lo = first;
	}
	if (lo < last) {
		if (!kp_path_window(walk, task, lo, last))
			kp_walk_task(walk, task, lo, last, KP_NONE);
		lo = last;
	}
	if (lo < hi)
		emit_unknown(walk, task, lo, hi, KP_NONE, KP_D_outside);
}

static void check_partition(const struct kp_walk *walk, uint64_t t0_ns, uint64_t t1_ns)
{
	uint64_t at = t0_ns;

	for (uint32_t i = 0; i < walk->pieces.cnt; i++) {
		assert(walk->pieces.at[i].t0_ns == at);
		assert(walk->pieces.at[i].t1_ns > at);
		at = walk->pieces.at[i].t1_ns;
	}
	assert(at == t1_ns);
}

int kp_walk_run(const struct kp_model *model, uint32_t task, uint64_t t0_ns, uint64_t t1_ns,
		struct kp_walk *ret_walk)
{
	assert(t0_ns <= t1_ns && (task == KP_NONE || task < model->tasks.cnt));
	memset(ret_walk, 0, sizeof(*ret_walk));
	ret_walk->model = model;
	if (task == KP_NONE)
		emit_unknown(ret_walk, task, t0_ns, t1_ns, KP_NONE, KP_D_state);
	else
		walk_window(ret_walk, task, t0_ns, t1_ns);
	if (ret_walk->failed)
		return -ENOMEM;
	check_partition(ret_walk, t0_ns, t1_ns);
	return 0;
}

void kp_walk_done(struct kp_walk *walk)
{
	KP_VEC_DONE(&walk->pieces);
	KP_VEC_DONE(&walk->waits);
}
