/* SPDX-License-Identifier: MIT
 * Names of tasks and texts of calls; see names.h.
 */
#include "event/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* PID_MAX_LIMIT of 64-bit kernels: a larger tid is nobody's. */
#define TID_MAX (4u << 20)
/* Tasks whose texts are held; an honest log has few between a payload and its call. */
#define CALLS_MAX 1024u
/* Sockets that are held. Those in use are told again and again, so that all can be forgotten. */
#define SOCKS_MAX 262144u

struct kp_pending_call {
	uint32_t seq;
	uint16_t nr;
	struct kp_call_texts texts; /* point into data */
	uint32_t used;
	char data[KP_ARG_MAX * KP_CALL_TEXT_MAX];
};

static int set_name(struct kp_names *names, uint32_t tid, const char *comm, bool keep)
{
	uint64_t *index;

	if (!tid || tid > TID_MAX)
		return 0;
	index = kp_map_upsert(&names->index, tid, names->comms.cnt);
	if (!index || (*index == names->comms.cnt && KP_VEC_GROW(&names->comms) < 0))
		return -ENOMEM;
	if (*index == names->comms.cnt)
		names->comms.cnt++;
	else if (keep)
		return 0;
	memcpy(names->comms.at[*index], comm, KP_COMM_LEN);
	return 0;
}

static int set_sock(struct kp_names *names, const struct kp_ev_socket *sock, bool keep)
{
	uint64_t *index;

	if (names->socks.cnt == SOCKS_MAX) {
		kp_map_done(&names->sock_index);
		names->socks.cnt = 0;
	}
	index = kp_map_upsert(&names->sock_index, sock->sock, names->socks.cnt);
	if (!index || (*index == names->socks.cnt && KP_VEC_GROW(&names->socks) < 0))
		return -ENOMEM;
	if (*index == names->socks.cnt)
		names->socks.cnt++;
	else if (keep)
		return 0;
	names->socks.at[*index] = *sock;
	return 0;
}

static int take_origin(struct kp_names *names, const struct kp_hdr *event)
{
	if (!names->origins)
		names->origins = kp_origins_new();
	return names->origins ? kp_origins_add(names->origins, event) : -ENOMEM;
}

static int set_reasons(struct kp_names *names, const struct kp_ev_reason_names *ev, bool keep)
{
	struct kp_buf *reasons;

	if (ev->what >= KP_REASON_CNT || !ev->data_len)
		return 0;
	reasons = &names->reasons[ev->what];
	if (reasons->len && keep)
		return 0;
	kp_buf_reset(reasons);
	kp_buf_append(reasons, KP_TAIL(ev), ev->data_len);
	return reasons->failed ? -ENOMEM : 0;
}

static int take_name(struct kp_names *names, const struct kp_hdr *event, bool keep)
{
	switch (event->kind) {
	case KP_EV_socket:
		return set_sock(names, (const struct kp_ev_socket *)event, keep);
	case KP_EV_reason_names:
		return set_reasons(names, (const struct kp_ev_reason_names *)event, keep);
	case KP_EV_task:
		return set_name(names, event->tid, ((const struct kp_ev_task *)event)->comm, keep);
	case KP_EV_task_fork:
		return set_name(names, ((const struct kp_ev_task_fork *)event)->child_tid,
				((const struct kp_ev_task_fork *)event)->comm, keep);
	case KP_EV_task_exec:
		return set_name(names, event->tid, ((const struct kp_ev_task_exec *)event)->comm,
				keep);
	case KP_EV_task_rename:
		return set_name(names, ((const struct kp_ev_task_rename *)event)->target_tid,
				((const struct kp_ev_task_rename *)event)->comm, keep);
	}
	return 0;
}

/* The task's pending call, made or begun anew if it is another one's; NULL with *ret_full: none. */
static struct kp_pending_call *pending(struct kp_names *names, const struct kp_ev_payload *payload,
				       bool *ret_full)
{
	uint64_t *index = kp_map_get(&names->call_index, payload->hdr.tid);
	struct kp_pending_call *call;

	*ret_full = !index && names->calls.cnt == CALLS_MAX;
	if (*ret_full)
		return NULL;
	if (!index) {
		call = calloc(1, sizeof(*call));
		if (!call || KP_VEC_PUSH(&names->calls, call) < 0) {
			free(call);
			return NULL;
		}
		if (kp_map_put(&names->call_index, payload->hdr.tid, names->calls.cnt - 1) < 0)
			return NULL;
	} else {
		call = names->calls.at[*index];
	}
	if (call->seq != payload->seq || call->nr != payload->nr) {
		call->seq = payload->seq;
		call->nr = payload->nr;
		call->used = 0;
		memset(&call->texts, 0, sizeof(call->texts));
	}
	return call;
}

static int take_text(struct kp_names *names, const struct kp_ev_payload *payload)
{
	struct kp_pending_call *call;
	struct kp_call_texts found = {0};
	struct kp_call_text *text;
	bool full;

	kp_call_texts_add(&found, payload);
	if (payload->arg >= KP_ARG_MAX || !found.at[payload->arg].data)
		return 0;
	call = pending(names, payload, &full);
	if (!call)
		return full ? 0 : -ENOMEM;
	text = &call->texts.at[payload->arg];
	if (text->data) /* its second piece */
		return 0;
	*text = found.at[payload->arg];
	memcpy(call->data + call->used, text->data, text->len);
	text->data = call->data + call->used;
	call->used += text->len;
	return 0;
}

int kp_names_add(struct kp_names *names, const struct kp_hdr *event)
{
	int r = take_origin(names, event);

	if (r < 0)
		return r;
	if (event->kind == KP_EV_payload)
		return take_text(names, (const struct kp_ev_payload *)event);
	return take_name(names, event, false);
}

int kp_names_seed(struct kp_names *names, const struct kp_hdr *event)
{
	int r = take_origin(names, event);

	return r < 0 ? r : take_name(names, event, true);
}

const char *kp_names_get(const struct kp_names *names, uint32_t tid)
{
	const uint64_t *index = kp_map_get(&names->index, tid);

	return index ? names->comms.at[*index] : NULL;
}

const struct kp_ev_socket *kp_names_sock(const struct kp_names *names, const struct kp_hdr *event)
{
	uint64_t number = kp_event_sock(event);
	const uint64_t *index = number ? kp_map_get(&names->sock_index, number) : NULL;

	return index ? &names->socks.at[*index] : NULL;
}

const char *kp_names_reason(const struct kp_names *names, const struct kp_hdr *event)
{
	const struct kp_buf *reasons;
	unsigned what;
	uint32_t number;
	size_t at = 0;

	if (!kp_event_reason(event, &what, &number))
		return NULL;
	reasons = &names->reasons[what];
	for (; number && at < reasons->len; number--)
		at += strlen(reasons->data + at) + 1; /* a NUL stands behind the last */
	return at < reasons->len && reasons->data[at] ? reasons->data + at : NULL;
}

const struct kp_call_texts *kp_names_texts(const struct kp_names *names,
					   const struct kp_ev_syscall *call)
{
	const uint64_t *index = kp_map_get(&names->call_index, call->hdr.tid);
	const struct kp_pending_call *pending_call;

	if (!index || !call->seq)
		return NULL;
	pending_call = names->calls.at[*index];
	return pending_call->seq == call->seq && pending_call->nr == call->nr ? &pending_call->texts
									      : NULL;
}

struct kp_origin kp_names_origin(const struct kp_names *names, const struct kp_hdr *event)
{
	return names->origins ? kp_origins_get(names->origins, event->pid, event->time_ns)
			      : (struct kp_origin){.exe = NULL};
}

void kp_names_done(struct kp_names *names)
{
	for (uint32_t i = 0; i < names->calls.cnt; i++)
		free(names->calls.at[i]);
	kp_origins_free(names->origins);
	KP_VEC_DONE(&names->calls);
	for (int what = 0; what < KP_REASON_CNT; what++)
		kp_buf_done(&names->reasons[what]);
	KP_VEC_DONE(&names->comms);
	KP_VEC_DONE(&names->socks);
	kp_map_done(&names->sock_index);
	kp_map_done(&names->index);
	kp_map_done(&names->call_index);
}
