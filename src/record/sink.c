/* SPDX-License-Identifier: MIT
 * Completing the recorder's own events; see sink.h.
 */
#include "record/sink.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

void kp_sink_put(const struct kp_sink *sink, uint16_t kind, void *event, size_t struct_len,
		 const void *data, size_t data_len)
{
	_Alignas(8) unsigned char whole[KP_EVENT_MAX];
	struct kp_hdr *hdr = (struct kp_hdr *)whole;
	uint32_t len = (uint32_t)(data_len < KP_DATA_MAX ? data_len : KP_DATA_MAX);

	memcpy(whole, event, struct_len);
	hdr->time_ns = hdr->time_ns ? hdr->time_ns : kp_clock_ns(CLOCK_MONOTONIC);
	hdr->size = (uint32_t)KP_ALIGN8(struct_len + len);
	hdr->kind = kind;
	hdr->cpu = KP_CPU_USER;
	/* data_len is the last field of every kind that has data, and no padding follows it. */
	if (data)
		memcpy(whole + struct_len - sizeof(len), &len, sizeof(len));
	if (len)
		memcpy(whole + struct_len, data, len);
	memset(whole + struct_len + len, 0, hdr->size - struct_len - len);
	sink->put(sink->arg, hdr);
}

void kp_sink_put_fixed(const struct kp_sink *sink, uint16_t kind, void *event, size_t struct_len)
{
	kp_sink_put(sink, kind, event, struct_len, NULL, 0);
}
