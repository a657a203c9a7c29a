/* SPDX-License-Identifier: MIT
 * Ingest of what connects tasks: signals, interrupts, block requests, TCP segments.
 */
#include <signal.h>

#include "analyze/ingest.h"

/* --- signals, interrupts, memory --- */

static bool is_stop(int32_t sig)
{
	return sig >= 19 && sig <= 22; /* SIGSTOP SIGTSTP SIGTTIN SIGTTOU */
}

/* A task that waits in a call and takes a signal makes the call again behind the handler. */
int kp_model_on_deliver(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_signal_deliver *e = (const void *)hdr;
	uint32_t task;

	if (e->handler <= 1 || !(e->sa_flags & SA_RESTART)) /* SIG_DFL, SIG_IGN */
		return 0;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &task) < 0)
		return -ENOMEM;
	m->tasks.at[task].restarted_ns = hdr->time_ns;
	return 0;
}

int kp_model_on_signal(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_signal_generate *e = (const void *)hdr;
	struct kp_signal sig = {
		.t_ns = hdr->time_ns,
		.target_pid = e->target_pid,
		.target_tid = e->target_tid,
		.sig = e->sig,
		.ctx = e->ctx,
		.result = e->result,
		.cpu = hdr->cpu,
	};
	uint64_t *newest;

	if (kp_model_task_get(m, hdr->pid, hdr->tid, &sig.sender) < 0)
		return -ENOMEM;
	if (m->signals.cnt && sig.t_ns < m->signals.at[m->signals.cnt - 1].t_ns)
		sig.t_ns = m->signals.at[m->signals.cnt - 1].t_ns;
	sig.older = KP_NONE;
	if (is_stop(e->sig)) {
		newest = kp_map_upsert(&m->sig_map, e->target_pid, KP_NONE);
		if (!newest)
			return -ENOMEM;
		sig.older = (uint32_t)*newest;
		*newest = m->signals.cnt;
	}
	return KP_VEC_PUSH(&m->signals, sig);
}

int kp_model_on_freeze(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_cgroup_freeze *e = (const void *)hdr;
	struct kp_freeze freeze = {
		.t_ns = hdr->time_ns, .cgroup = e->cgroup, .ends = e->what == KP_FREEZE_ENDED};

	if (e->what != KP_FREEZE_ASKED && e->what != KP_FREEZE_ENDED)
		return 0;
	if (kp_model_task_get(m, hdr->pid, hdr->tid, &freeze.task) < 0)
		return -ENOMEM;
	if (m->freezes.cnt && freeze.t_ns < m->freezes.at[m->freezes.cnt - 1].t_ns)
		freeze.t_ns = m->freezes.at[m->freezes.cnt - 1].t_ns;
	return KP_VEC_PUSH(&m->freezes, freeze);
}

static int irq_add(struct kp_model *m, const struct kp_hdr *hdr, uint64_t entry_ns, uint32_t what)
{
	struct kp_interval irq = {entry_ns, hdr->time_ns, what};
	struct kp_cpu *cpu = kp_model_cpu_get(m, hdr->cpu);

	if (!cpu)
		return -ENOMEM;
	if (irq.t1_ns <= irq.t0_ns || irq.t1_ns < m->keep_from_ns)
		return 0;
	return KP_VEC_PUSH(&cpu->irqs, irq);
}

int kp_model_on_irq(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_irq *e = (const void *)hdr;

	return irq_add(m, hdr, e->entry_ns, e->vector & 0xffff);
}

int kp_model_on_softirq(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_softirq *e = (const void *)hdr;

	return irq_add(m, hdr, e->entry_ns, (e->vector & 0xffff) | KP_SOFTIRQ);
}

int kp_model_on_reclaim(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_reclaim *e = (const void *)hdr;
	struct kp_interval reclaim = {e->entry_ns, hdr->time_ns, e->memcg};
	struct kp_task *t;
	uint32_t task;

	if (kp_model_task_get(m, hdr->pid, hdr->tid, &task) < 0)
		return -ENOMEM;
	t = &m->tasks.at[task];
	if (t->reclaims.cnt && reclaim.t0_ns < t->reclaims.at[t->reclaims.cnt - 1].t1_ns)
		reclaim.t0_ns = t->reclaims.at[t->reclaims.cnt - 1].t1_ns;
	if (reclaim.t1_ns <= reclaim.t0_ns)
		return 0;
	return KP_VEC_PUSH(&t->reclaims, reclaim);
}

/* --- block --- */

/* The request with this identity that is not complete yet; KP_NONE if there is none. */
static uint32_t request_open(const struct kp_model *m, uint64_t id)
{
	const uint64_t *newest = kp_map_get(&m->rq_map, id);

	return newest && !m->requests.at[*newest].complete_ns ? (uint32_t)*newest : KP_NONE;
}

static int request_new(struct kp_model *m, const struct kp_ev_block_insert *e,
		       uint32_t *ret_request)
{
	struct kp_request rq = {
		.id = e->rq, .sector = e->sector, .dev = e->dev, .len = e->len, .op = e->op};
	uint64_t *newest = kp_map_upsert(&m->rq_map, e->rq, KP_NONE);

	if (!newest || kp_model_task_get(m, e->hdr.pid, e->hdr.tid, &rq.task) < 0)
		return -ENOMEM;
	rq.older = (uint32_t)*newest;
	*newest = *ret_request = m->requests.cnt;
	return KP_VEC_PUSH(&m->requests, rq);
}

int kp_model_on_insert(struct kp_model *m, const struct kp_hdr *hdr)
{
	uint32_t i;

	if (request_new(m, (const void *)hdr, &i) < 0)
		return -ENOMEM;
	m->requests.at[i].insert_ns = hdr->time_ns;
	m->requests.at[i].insert_cpu = hdr->cpu;
	return 0;
}

_Static_assert(sizeof(struct kp_ev_block_insert) == sizeof(struct kp_ev_block_issue) &&
		       sizeof(struct kp_ev_block_insert) == sizeof(struct kp_ev_block_complete),
	       "a request is made from whichever of its events comes first");

int kp_model_on_issue(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_block_issue *e = (const void *)hdr;
	uint32_t i = request_open(m, e->rq);

	/* A device that is full gives a request back; it is issued again, by whom does not matter.
	 */
	if ((i == KP_NONE || m->requests.at[i].sector != e->sector) &&
	    request_new(m, (const void *)hdr, &i) < 0)
		return -ENOMEM;
	m->requests.at[i].issue_ns = hdr->time_ns;
	m->requests.at[i].issue_cpu = hdr->cpu;
	return 0;
}

/* Whether a completion is of a request that is complete already: another part of it. */
static bool is_part(const struct kp_request *rq, const struct kp_ev_block_complete *e)
{
	return e->len && e->sector >= rq->sector && e->sector < rq->sector + rq->len / 512 + 1;
}

int kp_model_on_complete(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_block_complete *e = (const void *)hdr;
	struct kp_completion done = {.t_ns = hdr->time_ns};
	uint64_t *newest = kp_map_get(&m->rq_map, e->rq);

	if (!newest ||
	    (m->requests.at[*newest].complete_ns && !is_part(&m->requests.at[*newest], e))) {
		/* What waits for a flush of the device's cache is neither queued nor issued. */
		if (request_new(m, (const void *)hdr, &done.request) < 0)
			return -ENOMEM;
		m->requests.at[done.request].task = KP_NONE;
	} else {
		done.request = (uint32_t)*newest;
	}
	m->requests.at[done.request].complete_ns = hdr->time_ns;
	m->requests.at[done.request].complete_cpu = hdr->cpu;
	if (m->completions.cnt && done.t_ns < m->completions.at[m->completions.cnt - 1].t_ns)
		done.t_ns = m->completions.at[m->completions.cnt - 1].t_ns;
	return hdr->time_ns < m->keep_from_ns ? 0 : KP_VEC_PUSH(&m->completions, done);
}

/* --- tcp, meta --- */

int kp_model_on_retransmit(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_tcp_retransmit *e = (const void *)hdr;
	struct kp_retransmit r = {.t_ns = hdr->time_ns, .tcp_seq = e->tcp_seq, .why = e->why};

	if (!e->sock)
		return 0;
	if (kp_model_sock_get(m, e->sock, &r.sock) < 0)
		return -ENOMEM;
	if (m->retransmits.cnt && r.t_ns < m->retransmits.at[m->retransmits.cnt - 1].t_ns)
		r.t_ns = m->retransmits.at[m->retransmits.cnt - 1].t_ns;
	return KP_VEC_PUSH(&m->retransmits, r);
}
