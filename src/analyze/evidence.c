/* SPDX-License-Identifier: MIT
 * Words for what the walk found; see evidence.h.
 */
#include "analyze/evidence.h"

#include <inttypes.h>
#include <string.h>

#include "analyze/rules.h"
#include "base/text.h"
#include "event/addr.h"
#include "event/event.h"
#include "event/syscall.h"

void kp_evidence_time(uint64_t t_ns, struct kp_buf *out)
{
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

static void put_task(const struct kp_model *m, uint32_t task, uint64_t t_ns, struct kp_buf *out)
{
	const char *comm = kp_model_comm(m, task, t_ns);

	kp_text_puts(out, comm ? comm : "task");
	kp_buf_printf(out, " tid %u", m->tasks.at[task].tid);
}

static void put_call(const char *what, const struct kp_call *call, const struct kp_model *m,
		     struct kp_buf *out)
{
	if (!call)
		return;
	kp_buf_printf(out, "%s%s %s ", out->len ? "\n" : "", what, kp_syscall_name(call->nr));
	kp_buf_puts(out, call->flags & KP_CALLF_SEEN ? "seen " : "");
	if (call->entry_ns != call->exit_ns) {
		kp_buf_puts(out, "from ");
		kp_evidence_time(call->entry_ns, out);
		kp_buf_puts(out, " to ");
	} else {
		kp_buf_puts(out, "at ");
	}
	kp_evidence_time(call->exit_ns, out);
	if (call->sock != KP_NONE) {
		kp_buf_puts(out, " on ");
		put_both_ends(&m->socks.at[call->sock], out);
	} else if (call->ino) {
		kp_buf_printf(out, " on inode %" PRIu64, call->ino);
	}
}

static void put_wait(const struct kp_walk *walk, const struct kp_wait *wait, struct kp_buf *out)
{
	put_task(walk->model, wait->task, wait->t0_ns, out);
	kp_buf_puts(out, " woken at ");
	kp_evidence_time(wait->wake_ns, out);
	kp_buf_printf(out, " (%s) by ", wait->rule->name);
	put_task(walk->model, wait->waker, wait->wake_ns, out);
	put_call("waited in", wait->call, walk->model, out);
	put_call("woken from", wait->wake_call, walk->model, out);
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

static void put_stage(const char *what, uint64_t t_ns, struct kp_buf *out)
{
	if (!t_ns)
		return;
	kp_buf_printf(out, ", %s ", what);
	kp_evidence_time(t_ns, out);
}

static void put_request(const struct kp_model *m, uint64_t i, struct kp_buf *out)
{
	const struct kp_request *rq = &m->requests.at[i];

	kp_buf_printf(out, "%s%s 0x%" PRIx64, out->len ? "\n" : "", request_name(rq->op), rq->id);
	if (rq->len)
		kp_buf_printf(out, " of %u bytes at sector %" PRIu64, rq->len, rq->sector);
	put_stage("queued", rq->insert_ns, out);
	put_stage("issued", rq->issue_ns, out);
	put_stage("completed", rq->complete_ns, out);
}

const char *kp_evidence_wait(const struct kp_walk *walk, const struct kp_wait *wait,
			     struct kp_arena *arena)
{
	struct kp_buf text = {0};

	put_wait(walk, wait, &text);
	return kp_arena_take(arena, &text);
}

const char *kp_evidence_piece(const struct kp_walk *walk, const struct kp_piece *piece,
			      struct kp_arena *arena)
{
	struct kp_buf text = {0};

	if (piece->wait != KP_NONE)
		put_wait(walk, &walk->waits.at[piece->wait], &text);
	if ((piece->kind == KP_B_disk || piece->kind == KP_B_fault) && !(piece->obj & KP_OBJ_DEV))
		put_request(walk->model, piece->obj, &text);
	if (piece->obj != KP_NO_OBJ && piece->kind == KP_B_stopped) {
		kp_buf_printf(&text, "%ssignal_generate at ", text.len ? "\n" : "");
		kp_evidence_time(walk->model->signals.at[piece->obj].t_ns, &text);
	}
	return kp_arena_take(arena, &text);
}
