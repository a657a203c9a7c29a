/* SPDX-License-Identifier: MIT
 *
 * Ingest: one handler per kind of event, dispatched by a table. Invariants kept here:
 *  - task 0 is idle, whatever the CPU;
 *  - every list of records is ordered by time;
 *  - a task's records alternate as the kernel can have made them: a wake stands only behind
 *    BLOCKED; a wake that came while the task was still on its CPU is moved behind the BLOCKED that
 *    follows when the task then runs without another wake (the race of sched_waking with
 *    schedule()).
 */
#include "analyze/model.h"

#include <assert.h>
#include <string.h>

#include "analyze/ingest.h"
#include "base/heap.h"

/* TASK_DEAD of the kernel, beside the bits that event.h names. */
#define STATE_DEAD 128u
#define STATE_GONE (16u | 32u | STATE_DEAD)
/* In these the kernel counts a task as frozen whose group is not: it is stopped, or waits for a
 * vfork to end, which only a deadly signal ends early (cgroup_enter_frozen, TASK_WAKEKILL). */
#define STATE_COUNTED (KP_TASK_STOPPED | KP_TASK_TRACED | 0x100u)

/* A running recorder wakes up every few milliseconds: so long without any switch on any CPU means
 * that nothing was recorded (it was not running, or the machine slept). */
#define SILENCE_NS 2000000000u
/* Events after which the memory in use is looked at. */
#define LOOK_EACH 4096

static int task_new(struct kp_model *m, uint32_t pid, uint32_t tid, uint64_t start_ns,
		    uint32_t *ret_task)
{
	struct kp_task task = {
		.pid = pid,
		.tid = tid,
		.start_ns = start_ns,
		.end_ns = KP_NEVER,
		.parent = KP_NONE,
		.name = KP_NONE,
		.older = KP_NONE,
		.last_blocked = KP_NONE,
		.early_wake = KP_NONE,
	};
	uint64_t *newest = kp_map_upsert(&m->tids, tid, KP_NONE);

	if (!newest)
		return -ENOMEM;
	task.older = (uint32_t)*newest;
	if (KP_VEC_PUSH(&m->tasks, task) < 0)
		return -ENOMEM;
	*ret_task = m->tasks.cnt - 1;
	*newest = *ret_task;
	return 0;
}

int kp_model_task_get(struct kp_model *m, uint32_t pid, uint32_t tid, uint32_t *ret_task)
{
	uint64_t *newest;
	struct kp_task *task;

	if (tid == 0) {
		*ret_task = 0;
		return 0;
	}
	newest = kp_map_get(&m->tids, tid);
	if (!newest)
		return task_new(m, pid, tid, 0, ret_task);
	task = &m->tasks.at[*newest];
	if (task->recs.cnt && task->recs.at[task->recs.cnt - 1].kind == KP_REC_DEAD)
		return task_new(m, pid, tid, 0, ret_task); /* its fork was lost */
	if (pid && !task->pid)
		task->pid = pid;
	*ret_task = (uint32_t)*newest;
	return 0;
}

struct kp_cpu *kp_model_cpu_get(struct kp_model *m, uint32_t cpu)
{
	static const struct kp_cpu empty;

	while (m->cpus.cnt <= cpu)
		if (KP_VEC_PUSH(&m->cpus, empty) < 0)
			return NULL;
	return &m->cpus.at[cpu];
}

static int name_set(struct kp_model *m, uint32_t task, uint64_t t_ns, const char *comm)
{
	struct kp_task *t = &m->tasks.at[task];
	struct kp_name name = {.t_ns = t_ns, .older = t->name};

	if (t->name != KP_NONE && memcmp(m->names.at[t->name].comm, comm, KP_COMM_LEN) == 0)
		return 0;
	memcpy(name.comm, comm, KP_COMM_LEN);
	name.comm[KP_COMM_LEN - 1] = '\0';
	if (KP_VEC_PUSH(&m->names, name) < 0)
		return -ENOMEM;
	m->tasks.at[task].name = m->names.cnt - 1;
	return 0;
}

int kp_model_rec_push(struct kp_model *m, uint32_t task, struct kp_rec rec)
{
	struct kp_task *t = &m->tasks.at[task];
	uint32_t n = t->recs.cnt;

	assert(!n || t->recs.at);
	if (n > 0 && rec.t_ns < t->recs.at[n - 1].t_ns)
		rec.t_ns = t->recs.at[n - 1].t_ns;
	if (rec.t_ns < m->keep_from_ns) /* only the last state counts */
		t->recs.cnt = 0;
	return KP_VEC_PUSH(&t->recs, rec);
}

static const struct kp_rec *rec_last(const struct kp_task *task)
{
	return task->recs.cnt ? &task->recs.at[task->recs.cnt - 1] : NULL;
}

/* --- sched --- */

static int switch_out(struct kp_model *m, const struct kp_ev_sched_switch *e, uint32_t prev)
{
	struct kp_task *t = &m->tasks.at[prev];
	struct kp_rec rec = {.t_ns = e->hdr.time_ns, .cpu = e->hdr.cpu, .aux = e->prev_state};
	const struct kp_rec *last;

	if (t->last_blocked < t->recs.cnt && t->maj_seen && e->prev_maj_flt != t->maj_flt)
		t->recs.at[t->last_blocked].flags |= KP_RECF_MAJOR;
	last = rec_last(t); /* it came to this CPU unseen, or before the log began */
	if (last && !(last->kind == KP_REC_RUN && last->cpu == e->hdr.cpu) &&
	    kp_model_lose(m, prev, last->t_ns, e->hdr.cpu) < 0)
		return -ENOMEM;
	t->maj_flt = e->prev_maj_flt;
	t->maj_seen = true;
	t->last_blocked = KP_NONE;
	if (e->prev_state & STATE_GONE) {
		rec.kind = KP_REC_DEAD;
	} else if (!e->prev_state || (e->flags & KP_SWITCH_PREEMPT)) {
		rec.kind = KP_REC_RUNNABLE;
	} else {
		rec.kind = KP_REC_BLOCKED;
	}
	if (e->flags & KP_SWITCH_THROTTLED)
		rec.flags |= KP_RECF_THROTTLED;
	if (e->flags & KP_SWITCH_IOWAIT)
		rec.flags |= KP_RECF_IOWAIT;
	if (e->flags & KP_SWITCH_FROZEN && !(e->prev_state & STATE_COUNTED))
		rec.flags |= KP_RECF_FROZEN;
	if (kp_model_rec_push(m, prev, rec) < 0)
		return -ENOMEM;
	t = &m->tasks.at[prev];
	if (rec.kind == KP_REC_BLOCKED)
		t->last_blocked = t->recs.cnt - 1;
	return 0;
}

static int switch_in(struct kp_model *m, const struct kp_ev_sched_switch *e, uint32_t next)
{
	struct kp_task *t = &m->tasks.at[next];
	const struct kp_rec *last = rec_last(t);
	struct kp_rec rec = {.t_ns = e->hdr.time_ns, .cpu = e->hdr.cpu, .kind = KP_REC_RUN};
	struct kp_rec wake = {.cpu = e->hdr.cpu, .kind = KP_REC_WAKE, .aux = t->early_wake};

	if (last && last->kind == KP_REC_RUN) { /* it left the other CPU unseen */
		if (kp_model_lose(m, next, last->t_ns, e->hdr.cpu) < 0)
			return -ENOMEM;
	} else if (last && last->kind == KP_REC_BLOCKED && t->early_wake != KP_NONE) {
		wake.t_ns = last->t_ns;
		if (kp_model_rec_push(m, next, wake) < 0)
			return -ENOMEM;
	}
	m->tasks.at[next].early_wake = KP_NONE;
	if (kp_model_rec_push(m, next, rec) < 0)
		return -ENOMEM;
	t = &m->tasks.at[next];
	kp_model_wait_ends(t, rec_last(t)->t_ns);
	return 0;
}

static int on_switch(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_sched_switch *e = (const void *)hdr;
	struct kp_occupant occ = {.t_ns = hdr->time_ns};
	struct kp_cpu *cpu;
	uint32_t prev, next;

	if (m->last_switch_ns && (m->run_ended || hdr->time_ns > m->last_switch_ns + SILENCE_NS) &&
	    kp_model_add_gap(m, m->last_switch_ns, hdr->time_ns) < 0)
		return -ENOMEM;
	m->last_switch_ns = hdr->time_ns;
	m->run_ended = false;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &prev) < 0 ||
	    kp_model_task_get(m, e->next_pid, e->next_tid, &next) < 0)
		return -ENOMEM;
	if (kp_model_chain(m, hdr->cpu, prev, hdr->time_ns) < 0)
		return -ENOMEM;
	if (prev && switch_out(m, e, prev) < 0)
		return -ENOMEM;
	if (next && switch_in(m, e, next) < 0)
		return -ENOMEM;
	cpu = kp_model_cpu_get(m, hdr->cpu);
	if (!cpu)
		return -ENOMEM;
	occ.task = next;
	occ.prev = prev;
	if (cpu->occupants.cnt && occ.t_ns < cpu->occupants.at[cpu->occupants.cnt - 1].t_ns)
		occ.t_ns = cpu->occupants.at[cpu->occupants.cnt - 1].t_ns;
	if (occ.t_ns < m->keep_from_ns)
		cpu->occupants.cnt = 0;
	return KP_VEC_PUSH(&cpu->occupants, occ);
}

static int wake_add(struct kp_model *m, const struct kp_ev_sched_waking *e, uint32_t waker,
		    uint32_t target, uint32_t *ret_wake)
{
	struct kp_wake wake = {
		.t_ns = e->hdr.time_ns,
		.obj = e->obj,
		.waker = waker,
		.target = target,
		.sock = KP_NONE,
		.ctx = e->ctx,
		.softirq = e->softirq,
		.cpu = e->hdr.cpu,
	};

	if (wake.t_ns < m->keep_from_ns) {
		*ret_wake = KP_NONE;
		return 0;
	}
	if ((e->ctx & KP_CTX_NET) && e->sock && kp_model_sock_get(m, e->sock, &wake.sock) < 0)
		return -ENOMEM;
	if (KP_VEC_PUSH(&m->wakes, wake) < 0)
		return -ENOMEM;
	*ret_wake = m->wakes.cnt - 1;
	return 0;
}

static int on_waking(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_sched_waking *e = (const void *)hdr;
	struct kp_rec rec = {.t_ns = hdr->time_ns, .cpu = e->target_cpu, .kind = KP_REC_WAKE};
	uint32_t waker, target, wake;
	const struct kp_rec *last;

	if (kp_model_task_get(m, hdr->pid, hdr->tid, &waker) < 0 ||
	    kp_model_task_get(m, e->target_pid, e->target_tid, &target) < 0)
		return -ENOMEM;
	if (kp_model_see_waker(m, e, waker) < 0)
		return -ENOMEM;
	if (!target)
		return 0;
	last = rec_last(&m->tasks.at[target]);
	if (last && (last->kind == KP_REC_RUNNABLE || last->kind == KP_REC_MIGRATE))
		return 0; /* it left its CPU on the way to sleep, and now need not */
	/* Only who has run since it was woken can be woken again: nobody saw it. */
	if (last && last->kind == KP_REC_WAKE) {
		if (kp_model_lose(m, target, last->t_ns, last->cpu) < 0)
			return -ENOMEM;
		last = NULL;
	}
	if (wake_add(m, e, waker, target, &wake) < 0)
		return -ENOMEM;
	if (last && last->kind == KP_REC_RUN) {
		m->tasks.at[target].early_wake = wake;
		return 0;
	}
	rec.aux = wake;
	return kp_model_rec_push(m, target, rec);
}

static int on_wakeup_new(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_sched_wakeup_new *e = (const void *)hdr;
	struct kp_rec rec = {.t_ns = hdr->time_ns,
			     .cpu = e->target_cpu,
			     .kind = KP_REC_WAKE,
			     .aux = KP_NONE,
			     .flags = KP_RECF_NEW};
	struct kp_wake first = {.t_ns = hdr->time_ns, .sock = KP_NONE, .cpu = hdr->cpu};
	uint32_t maker, task;

	if (!e->target_tid)
		return 0;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &maker) < 0 ||
	    kp_model_task_get(m, e->target_pid, e->target_tid, &task) < 0)
		return -ENOMEM;
	if (m->tasks.at[task].recs.cnt || m->tasks.at[task].end_ns != KP_NEVER)
		if (task_new(m, e->target_pid, e->target_tid, hdr->time_ns, &task) < 0)
			return -ENOMEM;
	if (!m->tasks.at[task].start_ns)
		m->tasks.at[task].start_ns = hdr->time_ns;
	m->tasks.at[task].parent = maker;
	first.waker = maker;
	first.target = task;
	if (hdr->time_ns >= m->keep_from_ns && KP_VEC_PUSH(&m->wakes, first) < 0)
		return -ENOMEM;
	return kp_model_rec_push(m, task, rec);
}

static int on_migrate(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_sched_migrate *e = (const void *)hdr;
	struct kp_rec rec = {.t_ns = hdr->time_ns, .cpu = e->dest_cpu, .kind = KP_REC_MIGRATE};
	const struct kp_rec *last;
	uint32_t task;

	if (kp_model_task_get(m, e->target_pid, e->target_tid, &task) < 0)
		return -ENOMEM;
	last = rec_last(&m->tasks.at[task]);
	if (!task || !last ||
	    (last->kind != KP_REC_WAKE && last->kind != KP_REC_RUNNABLE &&
	     last->kind != KP_REC_MIGRATE))
		return 0;
	rec.flags = last->flags & KP_RECF_THROTTLED;
	return kp_model_rec_push(m, task, rec);
}

/* --- life --- */

static int on_fork(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_task_fork *e = (const void *)hdr;
	uint32_t parent, child;

	if (!e->child_tid)
		return 0;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &parent) < 0 ||
	    task_new(m, e->child_pid, e->child_tid, hdr->time_ns, &child) < 0)
		return -ENOMEM;
	m->tasks.at[child].parent = parent;
	m->tasks.at[child].kthread = m->tasks.at[parent].kthread; /* until an exec */
	return name_set(m, child, hdr->time_ns, e->comm);
}

/* A thread other than the leader went through exec: it goes on under the leader's tid. */
static int take_leader(struct kp_model *m, const struct kp_ev_task_exec *e, uint32_t old)
{
	struct kp_rec run = {.t_ns = e->hdr.time_ns, .cpu = e->hdr.cpu, .kind = KP_REC_RUN};
	struct kp_cpu *cpu;
	uint32_t task;

	if (kp_model_task_get(m, e->hdr.pid, e->hdr.tid, &task) < 0)
		return -ENOMEM;
	if (m->tasks.at[task].end_ns == KP_NEVER)
		m->tasks.at[task].end_ns = run.t_ns;
	if (task_new(m, e->hdr.pid, e->hdr.tid, run.t_ns, &task) < 0)
		return -ENOMEM;
	m->tasks.at[task].parent = old;
	m->tasks.at[old].end_ns = run.t_ns;
	cpu = kp_model_cpu_get(m, e->hdr.cpu);
	if (!cpu)
		return -ENOMEM;
	if (cpu->occupants.cnt && cpu->occupants.at[cpu->occupants.cnt - 1].task == old)
		cpu->occupants.at[cpu->occupants.cnt - 1].task = task;
	return kp_model_rec_push(m, task, run);
}

static int on_exec(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_task_exec *e = (const void *)hdr;
	const uint64_t *old = kp_map_get(&m->tids, e->old_tid);
	uint32_t task;

	if (!hdr->tid)
		return 0;
	if (e->old_tid != hdr->tid && old && take_leader(m, e, (uint32_t)*old) < 0)
		return -ENOMEM;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &task) < 0)
		return -ENOMEM;
	m->tasks.at[task].kthread = false;
	return name_set(m, task, hdr->time_ns, e->comm);
}

static int on_exit_task(struct kp_model *m, const struct kp_hdr *hdr)
{
	uint32_t task;

	if (kp_model_task_get(m, hdr->pid, hdr->tid, &task) < 0)
		return -ENOMEM;
	if (task)
		m->tasks.at[task].end_ns = hdr->time_ns;
	return 0;
}

static int on_rename(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_task_rename *e = (const void *)hdr;
	uint32_t task;

	if (!e->target_tid)
		return 0;
	if (kp_model_task_get(m, 0, e->target_tid, &task) < 0)
		return -ENOMEM;
	return name_set(m, task, hdr->time_ns, e->comm);
}

static int on_task(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_task *e = (const void *)hdr;
	struct kp_rec rec = {
		.t_ns = hdr->time_ns, .kind = KP_REC_BLOCKED, .flags = KP_RECF_SNAPSHOT};
	uint32_t task;

	if (!hdr->tid)
		return 0;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &task) < 0 ||
	    name_set(m, task, hdr->time_ns, e->comm) < 0)
		return -ENOMEM;
	m->tasks.at[task].kthread = e->kthread != 0;
	if (m->tasks.at[task].recs.cnt) /* its events tell more than the snapshot */
		return 0;
	switch (e->state) {
	case 'S':
		rec.aux = KP_TASK_INTERRUPTIBLE;
		break;
	case 'D':
		rec.aux = KP_TASK_UNINTERRUPTIBLE;
		break;
	case 'I':
		rec.aux = KP_TASK_UNINTERRUPTIBLE | KP_TASK_NOLOAD;
		break;
	case 'T':
		rec.aux = KP_TASK_STOPPED;
		break;
	case 't':
		rec.aux = KP_TASK_TRACED;
		break;
	default:
		return 0;
	}
	return kp_model_rec_push(m, task, rec);
}

/* --- meta, and the dispatch --- */

static int on_lost(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_lost *e = (const void *)hdr;
	struct kp_loss loss = {e->from_ns, e->to_ns, e->count, e->lost_group, e->lost_cpu};

	if (loss.to_ns < loss.from_ns)
		loss.from_ns = loss.to_ns;
	return KP_VEC_PUSH(&m->losses, loss);
}

/* Another recorder may go on with the log. */
static int on_stats(struct kp_model *m, const struct kp_hdr *hdr)
{
	(void)hdr;
	m->run_ended = true;
	return 0;
}

typedef int (*handler)(struct kp_model *m, const struct kp_hdr *hdr);

static const handler handlers[KP_EV_END] = {
	[KP_EV_sched_switch] = on_switch,
	[KP_EV_sched_waking] = on_waking,
	[KP_EV_sched_wakeup_new] = on_wakeup_new,
	[KP_EV_sched_migrate] = on_migrate,
	[KP_EV_task_fork] = on_fork,
	[KP_EV_task_exec] = on_exec,
	[KP_EV_task_exit] = on_exit_task,
	[KP_EV_task_rename] = on_rename,
	[KP_EV_task] = on_task,
	[KP_EV_syscall] = kp_model_on_syscall,
	[KP_EV_wait] = kp_model_on_wait,
	[KP_EV_sock_send] = kp_model_on_send,
	[KP_EV_sock_recv] = kp_model_on_recv,
	[KP_EV_tier] = kp_model_on_tier,
	[KP_EV_socket] = kp_model_on_socket,
	[KP_EV_translation] = kp_model_on_translation,
	[KP_EV_signal_generate] = kp_model_on_signal,
	[KP_EV_signal_deliver] = kp_model_on_deliver,
	[KP_EV_cgroup_freeze] = kp_model_on_freeze,
	[KP_EV_irq] = kp_model_on_irq,
	[KP_EV_softirq] = kp_model_on_softirq,
	[KP_EV_reclaim] = kp_model_on_reclaim,
	[KP_EV_block_insert] = kp_model_on_insert,
	[KP_EV_block_issue] = kp_model_on_issue,
	[KP_EV_block_complete] = kp_model_on_complete,
	[KP_EV_tcp_state] = kp_model_on_tcp_state,
	[KP_EV_tcp_reset] = kp_model_on_tcp_reset,
	[KP_EV_tcp_retransmit] = kp_model_on_retransmit,
	[KP_EV_lost] = on_lost,
	[KP_EV_record_stats] = on_stats,
};

bool kp_model_is_full(const struct kp_model *model, uint64_t more)
{
	return model->heap_max && kp_heap_held() + more > model->heap_max;
}

int kp_model_add(struct kp_model *model, const struct kp_hdr *event)
{
	if (model->event_cnt++ % LOOK_EACH == 0 && kp_model_is_full(model, 0))
		return -E2BIG;
	if (kp_origins_add(model->origins, event) < 0)
		return -ENOMEM;
	if (event->kind >= KP_EV_END || !handlers[event->kind])
		return 0;
	if (event->cpu != KP_CPU_USER) { /* the recorder's own words don't extend what was seen */
		if (event->time_ns < model->first_ns)
			model->first_ns = event->time_ns;
		if (event->time_ns > model->last_ns)
			model->last_ns = event->time_ns;
	}
	return handlers[event->kind](model, event);
}

int kp_model_add_gap(struct kp_model *model, uint64_t from_ns, uint64_t to_ns)
{
	struct kp_loss loss = {from_ns, to_ns, 0, KP_NONE, KP_NONE};

	return KP_VEC_PUSH(&model->losses, loss);
}

static int interval_order(const void *a, const void *b)
{
	const struct kp_interval *x = a, *y = b;

	if (x->t0_ns != y->t0_ns)
		return x->t0_ns < y->t0_ns ? -1 : 1;
	return x->t1_ns < y->t1_ns ? -1 : x->t1_ns > y->t1_ns;
}

/* Sorts by begin and makes the intervals disjoint: what lies within an earlier one goes. */
static uint32_t make_disjoint(struct kp_interval *list, uint32_t cnt)
{
	uint32_t kept = 0;
	uint64_t end = 0;

	if (cnt)
		qsort(list, cnt, sizeof(*list), interval_order);
	for (uint32_t i = 0; i < cnt; i++) {
		if (list[i].t0_ns < end)
			list[i].t0_ns = end;
		if (list[i].t1_ns <= list[i].t0_ns)
			continue;
		end = list[i].t1_ns;
		list[kept++] = list[i];
	}
	return kept;
}

int kp_model_finish(struct kp_model *model)
{
	int err;

	for (uint32_t i = 0; i < model->cpus.cnt; i++)
		model->cpus.at[i].irqs.cnt =
			make_disjoint(model->cpus.at[i].irqs.at, model->cpus.at[i].irqs.cnt);
	for (uint32_t i = 0; i < model->tasks.cnt; i++)
		kp_model_wait_ends(&model->tasks.at[i], model->last_ns);
	err = kp_model_lose_untold(model);
	if (err >= 0)
		err = kp_model_mark_holes(model);
	if (err < 0)
		return err;
	if (model->first_ns > model->last_ns)
		model->first_ns = model->last_ns = 0;
	return 0;
}

int kp_model_init(struct kp_model *model)
{
	static const kp_comm idle = "idle";
	uint32_t task;
	int err;

	memset(model, 0, sizeof(*model));
	model->first_ns = KP_NEVER;
	model->origins = kp_origins_new();
	err = model->origins ? task_new(model, 0, 0, 0, &task) : -ENOMEM;
	return err < 0 ? err : name_set(model, task, 0, idle);
}

void kp_model_done(struct kp_model *model)
{
	for (uint32_t i = 0; i < model->tasks.cnt; i++) {
		KP_VEC_DONE(&model->tasks.at[i].recs);
		KP_VEC_DONE(&model->tasks.at[i].calls);
		KP_VEC_DONE(&model->tasks.at[i].reclaims);
		KP_VEC_DONE(&model->tasks.at[i].msgs);
	}
	for (uint32_t i = 0; i < model->cpus.cnt; i++) {
		KP_VEC_DONE(&model->cpus.at[i].occupants);
		KP_VEC_DONE(&model->cpus.at[i].irqs);
		KP_VEC_DONE(&model->cpus.at[i].holes);
	}
	for (uint32_t i = 0; i < model->socks.cnt; i++) {
		KP_VEC_DONE(&model->socks.at[i].sends);
		KP_VEC_DONE(&model->socks.at[i].msgs);
	}
	kp_origins_free(model->origins);
	KP_VEC_DONE(&model->tasks);
	KP_VEC_DONE(&model->names);
	KP_VEC_DONE(&model->wakes);
	KP_VEC_DONE(&model->cpus);
	KP_VEC_DONE(&model->armings);
	KP_VEC_DONE(&model->socks);
	KP_VEC_DONE(&model->msgs);
	KP_VEC_DONE(&model->locals);
	KP_VEC_DONE(&model->translated);
	KP_VEC_DONE(&model->requests);
	KP_VEC_DONE(&model->completions);
	KP_VEC_DONE(&model->signals);
	KP_VEC_DONE(&model->freezes);
	KP_VEC_DONE(&model->connects);
	KP_VEC_DONE(&model->retransmits);
	KP_VEC_DONE(&model->tiers);
	KP_VEC_DONE(&model->losses);
	KP_VEC_DONE(&model->gaps);
	KP_VEC_DONE(&model->holes);
	kp_map_done(&model->tids);
	kp_map_done(&model->sock_map);
	kp_map_done(&model->ends_map);
	kp_map_done(&model->remote_map);
	kp_map_done(&model->translated_map);
	kp_map_done(&model->unix_map);
	kp_map_done(&model->local_map);
	kp_map_done(&model->rq_map);
	kp_map_done(&model->sig_map);
	memset(model, 0, sizeof(*model));
}
