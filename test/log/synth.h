/* SPDX-License-Identifier: MIT
 * Synthetic events and logs for tests, the fuzzer's seeds and benchmarks.
 */
#ifndef KP_TEST_LOG_SYNTH_H
#define KP_TEST_LOG_SYNTH_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "event/event.h"

/* xorshift64*; the same events for the same seed. */
static inline uint64_t synth_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717u;
}

/* Appends an event of any kind (for a number that is gone: of the next one) with random fields and
 * up to max_data bytes behind it. */
static inline void synth_event(struct kp_buf *out, unsigned kind, uint64_t time_ns,
			       uint32_t max_data, uint64_t *rnd)
{
	const struct kp_event_desc *desc = kp_event_get(kind);
	const struct kp_field *f;
	uint32_t data_len, size;
	unsigned char *ev;
	uint64_t value;

	while (!desc)
		desc = kp_event_get(++kind);
	data_len = desc->tail == KP_TAIL_NONE ? 0 : synth_random(rnd) % (max_data + 1);
	size = KP_ALIGN8(desc->struct_len + data_len);
	ev = kp_buf_reserve(out, size);
	if (!ev)
		abort();
	memset(ev, 0, size);
	*(struct kp_hdr *)ev = (struct kp_hdr){.time_ns = time_ns,
					       .size = size,
					       .kind = (kp_u16)kind,
					       .cpu = synth_random(rnd) % 4,
					       .pid = synth_random(rnd) % 100,
					       .tid = (kp_u32)synth_random(rnd)};
	for (f = desc->fields; f < desc->fields + desc->field_cnt; f++) {
		value = synth_random(rnd) >> synth_random(rnd) % 64;
		if (f->format == KP_F_GROUP) /* others are not kept */
			value %= KP_GROUP_CNT;
		if (f->type == KP_T_comm)
			memcpy(ev + f->offset, value & 1 ? "worker\0" : "a b\"c\0\0", 8);
		else if (f->type == KP_T_addr)
			memcpy(ev + f->offset + 8, &value, 8);
		else
			memcpy(ev + f->offset, &value, f->len);
	}
	if (desc->tail != KP_TAIL_NONE)
		memcpy(ev + desc->fields[desc->field_cnt - 1].offset, &data_len, 4);
	for (uint32_t i = 0; i < data_len; i++)
		ev[desc->struct_len + i] = (unsigned char)synth_random(rnd);
	out->len += size;
}

#endif
