/* SPDX-License-Identifier: MIT
 *
 * Fuzzes what replay makes of a log's events, before a process is run. Any valid event may come in
 * any order and say anything. Configure with -DKP_FUZZ=ON and clang, then
 *
 *   fuzz_session -max_len=16384 CORPUS
 *
 * The input is a row of events: a byte for the kind, one for whose it is, one for the length of its
 * data, then the bytes of the event behind its header.
 */
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "replay/session.h"

#define PID 4242u
#define TAIL_UNIT 8u /* so that a byte reaches as far as the registers of a signal */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *at;
	size_t left;
	uint64_t time_ns;
};

static uint8_t take_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

/* The next event, in buf; NULL at the input's end. */
static const struct kp_hdr *next_event(struct input *input, unsigned char *buf)
{
	const struct kp_event_desc *desc = kp_event_get(take_byte(input) % KP_EV_END);
	uint8_t whose = take_byte(input);
	uint32_t tail = take_byte(input) * TAIL_UNIT, want, n;
	struct kp_hdr *hdr = (struct kp_hdr *)buf;

	if (!desc)
		return input->left ? next_event(input, buf) : NULL;
	if (desc->tail == KP_TAIL_NONE)
		tail = 0;
	want = desc->struct_len - (uint32_t)sizeof(*hdr) + tail;
	n = want < input->left ? want : (uint32_t)input->left;
	memset(buf, 0, desc->struct_len + tail);
	memcpy(hdr + 1, input->at, n);
	input->at += n;
	input->left -= n;
	input->time_ns += whose >> 3;
	*hdr = (struct kp_hdr){.time_ns = input->time_ns,
			       .size = KP_ALIGN8(desc->struct_len + tail),
			       .kind = desc->kind,
			       .pid = PID + (whose & 1),
			       .tid = PID + (whose & 1) + (whose >> 1 & 1)};
	if (desc->tail != KP_TAIL_NONE)
		memcpy(buf + desc->struct_len - sizeof(tail), &tail, sizeof(tail));
	return input->left || n ? hdr : NULL;
}

static void look_at_all(const struct kp_session *session)
{
	char reason[KP_REASON_LEN];

	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		const struct kp_step *step = &session->steps.at[i];
		struct kp_call_bytes bytes = kp_session_call_bytes(session, step);

		kp_session_is_vfork(session, step);
		if (step->call)
			kp_call_unreplayable(step->call, &bytes, reason);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static _Alignas(8) unsigned char buf[KP_EVENT_MAX];
	struct input input = {data, len, 1};
	struct kp_session session, child;
	struct kp_err err = {""};
	const struct kp_hdr *event;

	kp_session_init(&session, PID);
	kp_session_init(&child, PID + 1);
	while ((event = next_event(&input, buf))) {
		if (kp_event_validate(event, event->size, NULL) < 0)
			continue;
		if (kp_session_add(&session, event, &err) < 0)
			break;
		kp_session_add(&child, event, &err);
	}
	kp_session_finish(&session);
	kp_session_finish_child(&child);
	kp_session_read_files(&session, 0, &err);
	look_at_all(&session);
	look_at_all(&child);
	kp_session_done(&session);
	kp_session_done(&child);
	return 0;
}
