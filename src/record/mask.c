/* SPDX-License-Identifier: MIT
 *
 * Masking events; see mask.h. Streams and tasks are kept in tables of fixed size, each at the place
 * of its hash: one that takes another's place has what went before it forgotten.
 */
#include "record/mask.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/card.h"
#include "bpf/shared.h"
#include "event/event.h"
#include "event/syscall.h"

#define STREAM_MAX 4096u /* powers of two */
#define TASK_MAX 4096u

/* The kernel's struct msghdr as a 64-bit process has it, its first members. */
struct user_msghdr {
	uint64_t name;
	uint64_t namelen;
	uint64_t iov, iovlen;
	uint64_t control;
};

/* What a stream belongs to: its key is this and two numbers. */
enum of { OF_DESCRIPTOR_IN, OF_DESCRIPTOR_OUT, OF_CALL, OF_IMAGE };

struct stream {
	uint64_t key;
	uint64_t next; /* of an image: the address behind what came last */
	/* The call that came last, and of which of its messages; of a descriptor. */
	uint32_t tid, seq, message;
	struct user_msghdr head; /* of that message */
	struct kp_card_stream bytes;
};

struct task {
	uint32_t tid;
	uint32_t seq; /* of the last call that has come */
};

struct kp_masker {
	struct stream streams[STREAM_MAX];
	struct task tasks[TASK_MAX];
};

struct kp_masker *kp_masker_new(void)
{
	return calloc(1, sizeof(struct kp_masker));
}

void kp_masker_free(struct kp_masker *masker)
{
	free(masker);
}

/* --- texts --- */

/* Names of tasks are cut by the kernel, paths and command lines by whoever reads them. */
static unsigned cut_of(size_t len, size_t cap)
{
	return len + 1 >= cap ? KP_CARD_CUT_END : 0;
}

static void mask_comms(struct kp_hdr *event, const struct kp_event_desc *desc)
{
	unsigned char *comm;
	size_t len;

	for (unsigned i = 0; i < desc->field_cnt; i++) {
		if (desc->fields[i].type != KP_T_comm)
			continue;
		comm = (unsigned char *)event + desc->fields[i].offset;
		len = strnlen((const char *)comm, KP_COMM_LEN);
		kp_card_mask(comm, len, cut_of(len, KP_COMM_LEN));
	}
}

void kp_mask_texts(struct kp_hdr *event)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);
	uint32_t len;

	if (desc->comm_cnt)
		mask_comms(event, desc);
	if (desc->tail != KP_TAIL_STR && desc->tail != KP_TAIL_ARGV)
		return;
	len = kp_event_data_len(event);
	kp_card_mask((unsigned char *)event + desc->struct_len, len, cut_of(len, PATH_MAX));
}

/* --- bytes of calls --- */

/* The place of a stream; *ret_is_new: it was another's, or nobody's. */
static struct stream *get_stream(struct kp_masker *m, enum of of, uint32_t id, uint32_t part,
				 bool *ret_is_new)
{
	uint64_t key = (uint64_t)id << 32 | part;
	uint64_t hash = (key * 4 + of + 1) * 0x9e3779b97f4a7c15ull;
	struct stream *stream = &m->streams[(hash >> 32) % STREAM_MAX];

	*ret_is_new = stream->key != hash;
	if (*ret_is_new)
		*stream = (struct stream){.key = hash};
	return stream;
}

/* Notes that a call, or bytes of it, came. Whether one before it has not. */
static bool note_call(struct kp_masker *m, uint32_t tid, uint32_t seq)
{
	struct task *task = &m->tasks[tid % TASK_MAX];
	uint32_t last = task->tid == tid ? task->seq : 0;

	if (seq > last || task->tid != tid)
		*task = (struct task){tid, seq};
	return seq != last && seq != last + 1;
}

/* How the argument's length is found, if its bytes are what passes through the descriptor that the
 * call has as its first argument; else KP_LEN_NONE. */
static enum kp_len_rule stream_rule(const struct kp_ev_payload *ev)
{
	const struct kp_syscall *row = kp_syscall_get(ev->nr);
	enum kp_len_rule rule;

	if (!row || ev->arg >= KP_ARG_MAX || row->rule.args[0].type != KP_ARG_FD)
		return KP_LEN_NONE;
	rule = row->rule.args[ev->arg].rule;
	return rule == KP_LEN_RET || rule == KP_LEN_IOV || rule == KP_LEN_MSG || rule == KP_LEN_MMSG
		       ? rule
		       : KP_LEN_NONE;
}

/*
 * Whether the bytes are a message's header, which comes first of it, or the name or control data to
 * which that leads.
 */
static bool is_beside(struct stream *stream, const struct kp_ev_payload *ev, bool is_new)
{
	uint32_t message = ev->idx / KP_IDX_VECTOR;

	if (is_new || ev->hdr.tid != stream->tid || ev->seq != stream->seq ||
	    message != stream->message) {
		stream->message = message;
		memset(&stream->head, 0, sizeof(stream->head));
		if (ev->data_len >= sizeof(stream->head))
			memcpy(&stream->head, KP_TAIL(ev), sizeof(stream->head));
		return true;
	}
	return ev->addr == stream->head.name || ev->addr == stream->head.control;
}

/* Bytes that pass through a descriptor. */
static size_t mask_stream(struct kp_masker *m, const struct kp_ev_payload *ev, unsigned char *data,
			  bool is_gap)
{
	enum of of = ev->dir == KP_DIR_IN ? OF_DESCRIPTOR_IN : OF_DESCRIPTOR_OUT;
	enum kp_len_rule rule = stream_rule(ev);
	unsigned cut = KP_CARD_CUT_END | (is_gap ? KP_CARD_CUT_BEGIN : 0);
	bool is_new, beside;
	struct stream *stream = get_stream(m, of, ev->hdr.pid, ev->arg0, &is_new);

	/* An earlier call than the last one, from the ring of another CPU. */
	if (!is_new && ev->hdr.tid == stream->tid && ev->seq < stream->seq)
		return kp_card_mask(data, ev->data_len, cut | KP_CARD_CUT_BEGIN);
	beside = (rule == KP_LEN_MSG || rule == KP_LEN_MMSG) && is_beside(stream, ev, is_new);
	stream->tid = ev->hdr.tid;
	stream->seq = ev->seq;
	if (beside)
		return kp_card_mask(data, ev->data_len, 0);
	if (is_gap)
		stream->bytes.len = 0;
	return kp_card_mask_next(&stream->bytes, data, ev->data_len, cut);
}

/* Any other buffer, which belongs to its call alone, in chunks. */
static size_t mask_buffer(struct kp_masker *m, const struct kp_ev_payload *ev, unsigned char *data)
{
	bool is_new, is_cut = ev->data_len == KP_CHUNK_MAX || ev->data_len < ev->want_len;
	struct stream *stream = get_stream(m, OF_CALL, ev->hdr.tid, ev->arg, &is_new);

	if (!ev->offset)
		stream->bytes.len = 0;
	return kp_card_mask_next(&stream->bytes, data, ev->data_len, is_cut ? KP_CARD_CUT_END : 0);
}

static void mask_payload(struct kp_masker *m, struct kp_hdr *event)
{
	struct kp_ev_payload *ev = (struct kp_ev_payload *)event;
	unsigned char *data = (unsigned char *)(ev + 1);
	bool is_gap = note_call(m, event->tid, ev->seq);

	ev->masked = (uint32_t)(stream_rule(ev) != KP_LEN_NONE ? mask_stream(m, ev, data, is_gap)
							       : mask_buffer(m, ev, data));
}

static void mask_call(struct kp_masker *m, struct kp_hdr *event)
{
	note_call(m, event->tid, ((const struct kp_ev_syscall *)event)->seq);
}

/* --- memory --- */

/* Pieces of memory, each cut out of more: registers may hold eight digits, too. */
static void mask_delivery(struct kp_masker *m, struct kp_hdr *event)
{
	static const struct {
		uint32_t at, len, cnt;
	} parts[] = {
		{offsetof(struct kp_delivery, regs), 8, sizeof(struct kp_pt_regs) / 8},
		{offsetof(struct kp_delivery, info), KP_SIGINFO_LEN, 1},
		{offsetof(struct kp_delivery, pointed), KP_POINTED_LEN, KP_POINTED_CNT},
		{offsetof(struct kp_delivery, stack), KP_STACK_LEN, 1},
	};
	struct kp_ev_signal_deliver *ev = (struct kp_ev_signal_deliver *)event;
	unsigned char *data = (unsigned char *)(ev + 1);
	uint32_t at;

	(void)m;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (uint32_t k = 0; k < parts[i].cnt; k++) {
			at = parts[i].at + k * parts[i].len;
			if (at + parts[i].len <= ev->data_len)
				ev->masked +=
					(uint32_t)kp_card_mask(data + at, parts[i].len,
							       KP_CARD_CUT_BEGIN | KP_CARD_CUT_END);
		}
}

static void mask_memory(struct kp_masker *m, struct kp_hdr *event)
{
	struct kp_ev_memory *ev = (struct kp_ev_memory *)event;
	bool is_new;
	struct stream *stream = get_stream(m, OF_IMAGE, event->pid, ev->image, &is_new);

	if (stream->next != ev->addr)
		stream->bytes.len = 0;
	stream->next = ev->addr + ev->data_len;
	ev->masked = (uint32_t)kp_card_mask_next(&stream->bytes, (unsigned char *)(ev + 1),
						 ev->data_len, KP_CARD_CUT_END);
}

/* --- the interface --- */

void kp_masker_event(struct kp_masker *masker, struct kp_hdr *event)
{
	static void (*const bytes[KP_EV_END])(struct kp_masker *, struct kp_hdr *) = {
		[KP_EV_payload] = mask_payload,
		[KP_EV_syscall] = mask_call,
		[KP_EV_signal_deliver] = mask_delivery,
		[KP_EV_memory] = mask_memory,
	};

	if (bytes[event->kind])
		bytes[event->kind](masker, event);
	else
		kp_mask_texts(event);
}
