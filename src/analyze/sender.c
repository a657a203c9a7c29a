/* SPDX-License-Identifier: MIT
 *
 * For which socket a task was woken, and who sent what came; see sender.h.
 */
#include "analyze/sender.h"

#include "event/syscall.h"

/* Calls behind one that waits for many descriptors in which the one that was ready is looked for.
 */
#define ROUND_MAX 64

/* Whether the call is on this socket: a connection belongs to the listening one as well. */
static bool is_on(const struct kp_model *m, const struct kp_call *call, uint32_t sock)
{
	const struct kp_sock *own = &m->socks.at[call->sock], *s = &m->socks.at[sock];

	return call->sock == sock || (call->obj == KP_OBJ_tcp && own->is_told && s->is_told &&
				      !own->rport && own->lport == s->lport);
}

uint32_t kp_sender_sock(const struct kp_model *m, const struct kp_blocked *b)
{
	const struct kp_task *t = &m->tasks.at[b->task];
	uint32_t sock = b->wake->sock, other = KP_NONE, n = 0;
	const struct kp_call *call = b->call;

	if (!call)
		return sock;
	if (call->sock != KP_NONE)
		return sock != KP_NONE && is_on(m, call, sock) ? sock : call->sock;
	if (!kp_call_waits_for_many(call))
		return call->obj == KP_OBJ_none || call->obj == KP_OBJ_tcp ? sock : KP_NONE;
	for (call++; call < t->calls.at + t->calls.cnt && n < ROUND_MAX; call++, n++) {
		if (kp_call_waits_for_many(call))
			break;
		if (call->sock == KP_NONE || kp_call_sends(call))
			continue;
		if (sock != KP_NONE && is_on(m, call, sock))
			return sock;
		if (other == KP_NONE)
			other = call->sock;
	}
	return other != KP_NONE ? other : sock;
}

uint32_t kp_sender_told_sock(const struct kp_model *m, const struct kp_blocked *b)
{
	uint32_t sock = kp_sender_sock(m, b);

	return sock != KP_NONE && m->socks.at[sock].is_told ? sock : KP_NONE;
}

static const struct kp_send *send_to(const struct kp_model *m, uint32_t sock, uint64_t t_ns)
{
	const struct kp_send *send = kp_model_peer_send(m, sock, t_ns);

	return send || sock == KP_NONE ? send : kp_model_translated_send(m, sock, t_ns);
}

bool kp_sender_is_sure(const struct kp_model *m, const struct kp_blocked *b)
{
	uint32_t sock = kp_sender_told_sock(m, b);

	return sock != KP_NONE && sock == b->wake->sock && m->socks.at[sock].rport &&
	       !kp_model_translated_send(m, sock, b->wake->t_ns);
}

/*
 * Whether the task in whose context the bytes came may have sent them by this call, for all that
 * the socket says: it is not known to be the one that the wake was for, or it takes datagrams from
 * anybody.
 */
static bool may_be_sent_by(const struct kp_model *m, const struct kp_wake *wake, uint32_t sock,
			   const struct kp_call *call)
{
	if (!call || !kp_call_on_socket(call) || !kp_call_sends(call))
		return false;
	return sock == KP_NONE || sock != wake->sock ||
	       (call->obj == KP_OBJ_udp && !m->socks.at[sock].rport);
}

bool kp_sender_find(const struct kp_walk *walk, const struct kp_blocked *b,
		    struct kp_send *ret_send)
{
	const struct kp_model *m = walk->model;
	const struct kp_wake *wake = b->wake;
	uint32_t sock = kp_sender_told_sock(m, b);
	const struct kp_send *send = send_to(m, sock, wake->t_ns);
	const struct kp_call *call;
	const struct kp_msg *msg;

	if (send && send->exit_ns >= b->begin_ns) {
		*ret_send = *send;
		return send->task != b->task && send->task != 0;
	}
	/*
	 * No send in this wait. Loopback delivers on the sender's CPU, within its call: accept the
	 * bystander if it is in a call that sends, or if it is the process at the other end (whose
	 * exit closes its sockets).
	 */
	call = wake->waker ? kp_task_call(&m->tasks.at[wake->waker], wake->t_ns) : NULL;
	if (wake->waker == 0 || wake->waker == b->task)
		return false;
	msg = sock != KP_NONE ? kp_model_peer_msg(m, sock, wake->waker, wake->t_ns) : NULL;
	if (msg) {
		*ret_send = (struct kp_send){.entry_ns = wake->t_ns,
					     .exit_ns = wake->t_ns,
					     .task = wake->waker,
					     .sock = msg->is_out ? msg->sock : KP_NONE};
		return true;
	}
	if ((send && m->tasks.at[send->task].pid == m->tasks.at[wake->waker].pid) ||
	    may_be_sent_by(m, wake, sock, call)) {
		*ret_send = (struct kp_send){.entry_ns = wake->t_ns,
					     .exit_ns = wake->t_ns,
					     .task = wake->waker,
					     .sock = KP_NONE};
		return true;
	}
	return false;
}
