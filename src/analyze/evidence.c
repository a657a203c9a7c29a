/* SPDX-License-Identifier: MIT
 * Words for what the walk found; see evidence.h.
 */
#include "analyze/evidence.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/rules.h"
#include "base/text.h"
#include "event/addr.h"
#include "event/event.h"
#include "event/syscall.h"

void kp_evidence_time(const struct kp_report *report, uint64_t t_ns, struct kp_buf *out)
{
	(void)report;
	kp_buf_printf(out, "%" PRIu64 ".%09" PRIu64, t_ns / 1000000000, t_ns % 1000000000);
}

static const char *softirq_name(uint32_t vector)
{
	static const char *const names[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
					    "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

	return vector < sizeof(names) / sizeof(*names) ? names[vector] : "other";
}

/* Its `socket` event is not in the log. */
#define NOT_TOLD "a socket not told"

static void put_sock_end(const kp_addr addr, uint16_t port, struct kp_buf *out)
{
	bool is_v4 = kp_addr_is_v4(addr);

	kp_buf_puts(out, is_v4 ? "" : "[");
	kp_addr_print(addr, out);
	kp_buf_printf(out, "%s:%u", is_v4 ? "" : "]", port);
}

uint32_t kp_evidence_dev(const struct kp_model *model, uint64_t obj)
{
	return obj & KP_OBJ_DEV ? (uint32_t)obj : model->requests.at[obj].dev;
}

/* As from the process that waits; a socket that is not connected has no one other end. */
static void put_peer(const struct kp_sock *s, struct kp_buf *out)
{
	if (!s->is_told) {
		kp_buf_puts(out, NOT_TOLD);
		return;
	}
	if (s->rport) {
		put_sock_end(s->raddr, s->rport, out);
		return;
	}
	kp_buf_puts(out, "any of ");
	put_sock_end(s->laddr, s->lport, out);
}

static void put_both_ends(const struct kp_sock *s, struct kp_buf *out)
{
	if (!s->is_told) {
		kp_buf_puts(out, NOT_TOLD);
		return;
	}
	put_sock_end(s->laddr, s->lport, out);
	kp_buf_puts(out, "-");
	put_sock_end(s->raddr, s->rport, out);
}

static void put_object(const struct kp_model *m, uint8_t kind, uint64_t obj, const char **ret_key,
		       struct kp_buf *out)
{
	switch (kind) {
	case KP_B_run_queue:
		*ret_key = "cpu";
		kp_buf_printf(out, "%" PRIu64, obj);
		break;
	case KP_B_irq:
		*ret_key = "irq";
		if (obj & KP_SOFTIRQ)
			kp_buf_printf(out, "softirq %s", softirq_name(obj & 0xffff));
		else
			kp_buf_printf(out, "irq %" PRIu64, obj);
		break;
	case KP_B_disk:
	case KP_B_fault:
		*ret_key = "device";
		kp_buf_printf(out, "%u:%u", kp_evidence_dev(m, obj) >> 20,
			      kp_evidence_dev(m, obj) & 0xfffff);
		break;
	case KP_B_network:
	case KP_B_retransmit:
		*ret_key = "remote";
		put_peer(&m->socks.at[obj], out);
		break;
	case KP_B_stopped:
		*ret_key = "signal";
		if (kp_signal_name(m->signals.at[obj].sig))
			kp_buf_puts(out, kp_signal_name(m->signals.at[obj].sig));
		else
			kp_buf_printf(out, "%d", m->signals.at[obj].sig);
		break;
	case KP_B_lock:
		*ret_key = "futex";
		kp_buf_printf(out, "0x%" PRIx64, obj);
		break;
	default:
		break;
	}
}

void kp_evidence_object(const struct kp_model *model, uint8_t kind, uint64_t obj,
			struct kp_arena *arena, struct kp_who *who)
{
	struct kp_buf text = {0};
	const char *key = "", *value;

	if (obj == KP_NO_OBJ)
		return;
	put_object(model, kind, obj, &key, &text);
	value = kp_arena_take(arena, &text);
	if (*key && value) {
		who->key = key;
		who->value = value;
	}
}

void kp_evidence_who(const struct kp_who *who, struct kp_buf *out)
{
	kp_text_puts(out, who->comm[0] ? who->comm : "task");
	if (who->pid == who->tid || !who->pid)
		kp_buf_printf(out, " (pid %u)", who->tid);
	else
		kp_buf_printf(out, " (pid %u, tid %u)", who->pid, who->tid);
	if (who->origin[0]) {
		kp_buf_puts(out, " in ");
		kp_text_puts(out, who->origin);
	}
}

static void put_cause(const struct kp_cause *c, struct kp_buf *out)
{
	bool task = c->cause.tid != 0;

	switch (c->kind) {
	case KP_B_on_cpu:
		kp_buf_puts(out, "computing in ");
		break;
	case KP_B_run_queue:
		kp_buf_printf(out, "run queue on cpu %s%s", c->cause.value, task ? " behind " : "");
		break;
	case KP_B_throttled:
		kp_buf_puts(out, "CPU quota used up by the group of ");
		break;
	case KP_B_irq:
		kp_buf_puts(out, c->cause.value);
		break;
	case KP_B_disk:
		kp_buf_printf(out, "%s%s%s", c->cause.value[0] ? "disk " : "a disk", c->cause.value,
			      task ? ", request of " : "");
		break;
	case KP_B_lock:
		kp_buf_printf(out, "futex %s, holder not known", c->cause.value);
		break;
	case KP_B_network:
	case KP_B_retransmit:
		kp_buf_printf(out, "%s%s%s", c->kind == KP_B_network ? "network" : "TCP loss",
			      c->cause.value[0] ? ", peer " : "", c->cause.value);
		break;
	case KP_B_timer:
		kp_buf_puts(out, c->detail == KP_D_late ? "late timer of " : "sleep of ");
		break;
	case KP_B_stopped:
		kp_evidence_who(&c->task, out);
		kp_buf_printf(out, " stopped%s%s%s", c->cause.value[0] ? " with " : "",
			      c->cause.value, task ? " by " : ", by whom is not in the log");
		break;
	case KP_B_reclaim:
		kp_buf_puts(out, "memory reclaim by ");
		break;
	case KP_B_fault:
		kp_buf_printf(out, "major page fault%s%s%s", c->cause.value[0] ? ", disk " : "",
			      c->cause.value, task ? ", of " : "");
		break;
	case KP_B_unknown:
		kp_buf_puts(out, "unexplained");
		break;
	default:
		kp_buf_printf(out, "%s: ", kp_bucket_name(c->kind));
		kp_evidence_who(&c->task, out);
		kp_buf_puts(out, " waits");
	}
	if (task)
		kp_evidence_who(&c->cause, out);
}

void kp_evidence_via(const char *via, struct kp_buf *out)
{
	static const char unseen[] = "woke";
	size_t len;

	for (; *via; via += len + (via[len] != '\0')) {
		len = strcspn(via, ",");
		if (len == sizeof(unseen) - 1 && strncmp(via, unseen, len) == 0)
			kp_buf_puts(out, "a wakeup whose reason was not seen");
		else
			kp_text_append(out, via, len);
		if (via[len])
			kp_buf_putc(out, ',');
	}
}

const char *kp_evidence_cause(const struct kp_cause *cause, const struct kp_who *own,
			      struct kp_arena *arena)
{
	struct kp_buf text = {0};

	put_cause(cause, &text);
	if (cause->kind == KP_B_run_queue && cause->task.tid != own->tid && cause->task.tid) {
		kp_buf_puts(&text, ", delaying ");
		kp_evidence_who(&cause->task, &text);
	}
	if (cause->detail && cause->detail != KP_D_late)
		kp_buf_printf(&text, ": %s", kp_detail_text(cause->detail));
	if (cause->via[0]) {
		kp_buf_puts(&text, ", via ");
		kp_evidence_via(cause->via, &text);
	}
	return kp_arena_take(arena, &text);
}

/* --- which events --- */

static int add(struct kp_report *r, struct kp_proof proof)
{
	proof.name = proof.name ? proof.name : "";
	proof.object = proof.object ? proof.object : "";
	return KP_VEC_PUSH(&r->events, proof);
}

/* The CPU on which the task ran. */
static uint32_t cpu_at(const struct kp_task *t, uint64_t t_ns)
{
	uint32_t i = kp_task_rec(t, t_ns);

	return i != KP_NONE && t->recs.at[i].kind == KP_REC_RUN ? t->recs.at[i].cpu : KP_NONE;
}

static void say_event(struct kp_proof *proof, uint16_t kind, uint32_t cpu)
{
	proof->kind = kind;
	proof->cpu = cpu;
}

/* The event by which the task left or got a CPU just then. */
static bool find_switch(const struct kp_task *t, struct kp_proof *proof)
{
	const struct kp_rec *rec;

	for (uint32_t i = kp_task_rec(t, proof->t_ns); i != KP_NONE; i--) {
		rec = &t->recs.at[i];
		if (rec->t_ns != proof->t_ns)
			return false;
		if ((rec->kind == KP_REC_RUN || rec->kind == KP_REC_RUNNABLE ||
		     rec->kind == KP_REC_BLOCKED) &&
		    !(rec->flags & KP_RECF_SNAPSHOT)) {
			say_event(proof, KP_EV_sched_switch, rec->cpu);
			return true;
		}
	}
	return false;
}

/* The event by which it woke somebody just then; target KP_NONE: anybody. */
static bool find_waking(const struct kp_model *m, uint32_t waker, uint32_t target,
			struct kp_proof *proof)
{
	const struct kp_wake *wake;

	for (uint32_t i = kp_model_wakes_until(m, proof->t_ns); i-- > 0;) {
		wake = &m->wakes.at[i];
		if (wake->t_ns != proof->t_ns)
			return false;
		if ((waker == KP_NONE || wake->waker == waker) &&
		    (target == KP_NONE || wake->target == target)) {
			say_event(proof, KP_EV_sched_waking, wake->cpu);
			return true;
		}
	}
	return false;
}

/* The event by which it sent or received just then. */
static bool find_transfer(const struct kp_model *m, uint32_t task, struct kp_proof *proof)
{
	const struct kp_task *t = &m->tasks.at[task];
	uint32_t i = kp_model_msgs_until(m, &t->msgs, proof->t_ns);
	const struct kp_msg *msg = i ? &m->msgs.at[t->msgs.at[i - 1]] : NULL;

	if (!msg || msg->t1_ns != proof->t_ns)
		return false;
	say_event(proof, msg->is_out ? KP_EV_sock_send : KP_EV_sock_recv, cpu_at(t, proof->t_ns));
	return true;
}

/* What ended a wait: who was woken, or its first wakeup, its birth, or the message that it was for.
 */
static int add_woken(const struct kp_walk *walk, const struct kp_wait *wait, uint32_t node,
		     struct kp_report *r)
{
	const struct kp_model *m = walk->model;
	struct kp_proof p = {
		.node = node, .cpu = KP_NONE, .role = KP_ROLE_woken, .t_ns = wait->wake_ns};
	const struct kp_task *t = &m->tasks.at[wait->task];
	uint32_t i = kp_task_rec(t, p.t_ns);

	if (wait->rule == &kp_led_rules[KP_LED_BIRTH])
		say_event(&p, KP_EV_task_fork, cpu_at(&m->tasks.at[wait->waker], p.t_ns));
	else if (i != KP_NONE && t->recs.at[i].t_ns == p.t_ns &&
		 t->recs.at[i].kind == KP_REC_WAKE && t->recs.at[i].flags & KP_RECF_NEW)
		say_event(&p, KP_EV_sched_wakeup_new, cpu_at(&m->tasks.at[wait->waker], p.t_ns));
	else if (!find_waking(m, KP_NONE, wait->task, &p) && !find_transfer(m, wait->waker, &p))
		find_transfer(m, wait->task, &p);
	return add(r, p);
}

/* What the call was on. */
static const char *object_of(const struct kp_call *call, const struct kp_model *m,
			     struct kp_arena *arena)
{
	struct kp_buf text = {0};

	if (call->sock != KP_NONE)
		put_both_ends(&m->socks.at[call->sock], &text);
	else if (call->ino)
		kp_buf_printf(&text, "inode %" PRIu64, call->ino);
	else
		return "";
	return kp_arena_take(arena, &text);
}

/* A call in which the task was: its record, or the last moment at which it was seen there. */
static int add_call(const struct kp_walk *walk, enum kp_role role, const struct kp_call *call,
		    uint32_t task, uint32_t node, struct kp_report *r)
{
	const struct kp_model *m = walk->model;
	struct kp_proof p = {.node = node, .cpu = KP_NONE, .role = (uint8_t)role};

	if (!call)
		return 0;
	p.t_ns = call->exit_ns;
	p.begin_ns = call->entry_ns != call->exit_ns ? call->entry_ns : 0;
	p.name = kp_syscall_name(call->nr);
	p.object = object_of(call, m, &r->arena);
	if (!p.object)
		return -ENOMEM;
	if (!(call->flags & KP_CALLF_SEEN))
		say_event(&p, KP_EV_syscall, cpu_at(&m->tasks.at[task], p.t_ns));
	else if (!find_waking(m, task, KP_NONE, &p) && !find_transfer(m, task, &p))
		find_switch(&m->tasks.at[task], &p);
	return add(r, p);
}

int kp_evidence_wait(const struct kp_walk *walk, const struct kp_wait *wait, uint32_t node,
		     struct kp_report *report)
{
	if (add_woken(walk, wait, node, report) < 0 ||
	    add_call(walk, KP_ROLE_waited, wait->call, wait->task, node, report) < 0)
		return -ENOMEM;
	return add_call(walk, KP_ROLE_waker, wait->wake_call, wait->waker, node, report);
}

/* REQ_OP_ of include/linux/blk_types.h. */
static const char *request_name(uint32_t op)
{
	switch (op & 0xff) {
	case 0:
		return "read";
	case 1:
		return "write";
	case 2:
		return "flush";
	case 3:
		return "discard";
	case 5:
		return "secure erase";
	case 9:
		return "write of zeroes";
	default:
		return "request";
	}
}

static int add_request(const struct kp_request *rq, uint32_t node, struct kp_report *r)
{
	const struct {
		uint8_t role;
		uint16_t kind, cpu;
		uint64_t t_ns;
	} stages[] = {
		{KP_ROLE_queued, KP_EV_block_insert, rq->insert_cpu, rq->insert_ns},
		{KP_ROLE_issued, KP_EV_block_issue, rq->issue_cpu, rq->issue_ns},
		{KP_ROLE_completed, KP_EV_block_complete, rq->complete_cpu, rq->complete_ns},
	};
	struct kp_proof p = {.node = node, .name = request_name(rq->op)};
	struct kp_buf text = {0};

	kp_buf_printf(&text, "0x%" PRIx64, rq->id);
	if (rq->len)
		kp_buf_printf(&text, " of %u bytes at sector %" PRIu64, rq->len, rq->sector);
	p.object = kp_arena_take(&r->arena, &text);
	if (!p.object)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		p.role = stages[i].role;
		p.t_ns = stages[i].t_ns;
		say_event(&p, stages[i].kind, stages[i].cpu);
		if (p.t_ns && add(r, p) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_signal(const struct kp_signal *sig, uint32_t node, struct kp_report *r)
{
	return add(r, (struct kp_proof){.node = node,
					.cpu = sig->cpu,
					.role = KP_ROLE_signal,
					.kind = KP_EV_signal_generate,
					.t_ns = sig->t_ns});
}

int kp_evidence_piece(const struct kp_walk *walk, const struct kp_piece *piece, uint32_t node,
		      struct kp_report *report)
{
	const struct kp_model *m = walk->model;

	if ((piece->kind == KP_B_disk || piece->kind == KP_B_fault) && !(piece->obj & KP_OBJ_DEV))
		return add_request(&m->requests.at[piece->obj], node, report);
	if (piece->obj != KP_NO_OBJ && piece->kind == KP_B_stopped)
		return add_signal(&m->signals.at[piece->obj], node, report);
	return 0;
}

/* --- in words --- */

struct words {
	const struct kp_report *report;
	const struct kp_edge *edge; /* that is proved */
	kp_time_fn time;
	struct kp_buf *out;
};

static void put_time(const struct words *w, const char *before, uint64_t t_ns)
{
	kp_buf_puts(w->out, before);
	w->time(w->report, t_ns, w->out);
}

static void put_task(const struct kp_who *who, struct kp_buf *out)
{
	kp_text_puts(out, who->comm[0] ? who->comm : "task");
	kp_buf_printf(out, " tid %u", who->tid);
}

/* Length of a time as earlier versions wrote it at the begin of text, seconds with nine digits; 0:
 * something else. */
static size_t time_at(const char *text, uint64_t *ret_ns)
{
	size_t whole = strspn(text, "0123456789"), part;

	if (!whole || whole > 10 || text[whole] != '.')
		return 0;
	part = strspn(text + whole + 1, "0123456789");
	if (part != 9)
		return 0;
	*ret_ns = strtoull(text, NULL, 10) * 1000000000 + strtoull(text + whole + 1, NULL, 10);
	return whole + 10;
}

/* Lines of an earlier version, their times as all others. */
static void put_told(const struct words *w, const char *text)
{
	size_t skip;
	uint64_t t_ns;

	for (const char *at = text; *at;) {
		skip = at == text || at[-1] == ' ' ? time_at(at, &t_ns) : 0;
		if (skip)
			w->time(w->report, t_ns, w->out);
		else
			kp_buf_putc(w->out, *at);
		at += skip ? skip : 1;
	}
}

static void put_woken(const struct words *w, const struct kp_proof *p)
{
	const struct kp_node *node = &w->report->nodes.at[p->node];

	put_task(&node->task, w->out);
	put_time(w, " woken at ", p->t_ns);
	kp_buf_puts(w->out, " (");
	kp_text_puts(w->out, w->edge ? w->edge->kind : "");
	kp_buf_puts(w->out, ") by ");
	put_task(&node->cause, w->out);
}

static void put_call(const struct words *w, const struct kp_proof *p)
{
	kp_buf_puts(w->out, p->role == KP_ROLE_waited ? "waited in " : "woken from ");
	kp_text_puts(w->out, p->name);
	kp_buf_puts(w->out, p->kind == KP_EV_syscall ? "" : " seen");
	if (p->begin_ns)
		put_time(w, " from ", p->begin_ns);
	put_time(w, p->begin_ns ? " to " : " at ", p->t_ns);
	if (!p->object[0])
		return;
	kp_buf_puts(w->out, " on ");
	kp_text_puts(w->out, p->object);
}

/* A request's stages in one line: before is the event before. */
static void put_stage(const struct words *w, const struct kp_proof *p,
		      const struct kp_proof *before)
{
	if (!before || strcmp(before->object, p->object) != 0) {
		kp_text_puts(w->out, p->name);
		kp_buf_putc(w->out, ' ');
		kp_text_puts(w->out, p->object);
	}
	kp_buf_printf(w->out, ", %s ", kp_role_name(p->role));
	w->time(w->report, p->t_ns, w->out);
}

static bool is_stage(const struct kp_proof *p)
{
	return p->role == KP_ROLE_queued || p->role == KP_ROLE_issued ||
	       p->role == KP_ROLE_completed;
}

static void put_event(const struct words *w, const struct kp_proof *p,
		      const struct kp_proof *before)
{
	bool goes_on =
		before && is_stage(p) && is_stage(before) && strcmp(before->object, p->object) == 0;

	if (w->out->len && !goes_on && !(p->role == KP_ROLE_told && !p->object[0]))
		kp_buf_putc(w->out, '\n');
	switch (p->role) {
	case KP_ROLE_told:
		put_told(w, p->object);
		break;
	case KP_ROLE_woken:
		put_woken(w, p);
		break;
	case KP_ROLE_waited:
	case KP_ROLE_waker:
		put_call(w, p);
		break;
	case KP_ROLE_signal:
		put_time(w, "signal_generate at ", p->t_ns);
		break;
	default:
		put_stage(w, p, goes_on ? before : NULL);
	}
}

/* The edge from a node; NULL: none. */
static const struct kp_edge *edge_from(const struct kp_report *r, uint32_t node)
{
	uint32_t lo = 0, hi = r->edges.cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->edges.at[mid].cause < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->edges.cnt && r->edges.at[lo].cause == node ? &r->edges.at[lo] : NULL;
}

static void put_events(struct words *w, uint32_t node)
{
	const struct kp_report *r = w->report;
	uint32_t lo = 0, hi = r->events.cnt, mid;

	w->edge = edge_from(r, node);
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->events.at[mid].node < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (uint32_t i = lo; i < r->events.cnt && r->events.at[i].node == node; i++)
		put_event(w, &r->events.at[i], i > lo ? &r->events.at[i - 1] : NULL);
}

void kp_evidence_lines(const struct kp_report *report, uint32_t node, kp_time_fn time,
		       struct kp_buf *out)
{
	const struct kp_edge *edge = edge_from(report, node);
	struct words words = {.report = report, .time = time, .out = out};

	if (edge && edge->effect)
		put_events(&words, edge->effect);
	put_events(&words, node);
}
