/* SPDX-License-Identifier: MIT
 *
 * Where the recorder's own events go (snapshot, images, clocks): the stream KP_CPU_USER of the log.
 */
#ifndef KP_RECORD_SINK_H
#define KP_RECORD_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "kprobe/event.h"

struct kp_sink {
	/* Takes a copy of a whole valid event. Called from any thread. May wait while the
	 * log is behind: what the recorder itself has to say is never dropped for lack of room. */
	void (*put)(void *arg, const struct kp_hdr *event);
	void *arg;
};

/*
 * Completes an event and puts it: sets the header (time now unless set, size, kind, cpu, pid and
 * tid as in the struct) and data_len of the fixed part `event` of struct_len bytes, with data
 * behind it. struct_len is the kind's struct size; data beyond KP_DATA_MAX is cut.
 */
void kp_sink_put(const struct kp_sink *sink, uint16_t kind, void *event, size_t struct_len,
		 const void *data, size_t data_len);

/* For kinds without data. */
void kp_sink_put_fixed(const struct kp_sink *sink, uint16_t kind, void *event, size_t struct_len);

#endif
