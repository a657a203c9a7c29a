/* SPDX-License-Identifier: MIT
 *
 * Writes a long log quickly: payloads of random bytes, 1000 a second of the log's time, in blocks
 * as long as a recorder's are, and a list of tasks in each segment.
 *
 *   long_log FOLDER MEGABYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../synth.h"
#include "base/clock.h"
#include "log/writer.h"

static void fail(const struct kp_err *err)
{
	fprintf(stderr, "long_log: %s\n", err->text);
	exit(1);
}

static void begin_list(uint64_t segment, void *arg)
{
	(void)segment;
	*(bool *)arg = true;
}

static void append(struct kp_log_writer *writer, uint32_t stream, struct kp_buf *events)
{
	static const uint64_t lost[KP_GROUP_CNT];
	struct kp_err err;

	if (kp_log_append(writer, stream, events->data, (uint32_t)events->len, lost, &err) < 0)
		fail(&err);
	kp_buf_reset(events);
}

int main(int argc, char **argv)
{
	bool is_list_due = false;
	struct kp_log_options options = {.codec = KP_CODEC_DELTA_ZSTD,
					 .on_segment = begin_list,
					 .on_segment_arg = &is_list_due};
	uint64_t len = argc == 3 ? strtoull(argv[2], NULL, 10) << 20 : 0, rnd = 1;
	uint64_t time_ns = kp_clock_ns(CLOCK_MONOTONIC);
	struct kp_log_writer *writer;
	struct kp_buf events = {0};
	struct kp_err err;

	if (!len) {
		fprintf(stderr, "usage: long_log FOLDER MEGABYTES\n");
		return 2;
	}
	if (kp_log_create(argv[1], &options, &writer, &err) < 0)
		fail(&err);
	for (uint32_t i = 0; kp_log_written(writer) < len; i++) {
		while (events.len < 25000)
			synth_event(&events, KP_EV_payload, time_ns += 1000000, 20000, &rnd);
		append(writer, i % 2, &events);
		for (int k = 0; is_list_due && k < 100; k++)
			synth_event(&events, KP_EV_task, time_ns, 20, &rnd);
		if (is_list_due)
			append(writer, KP_STREAM_SNAPSHOT, &events);
		is_list_due = false;
	}
	if (kp_log_close(writer, &err) < 0)
		fail(&err);
	kp_buf_done(&events);
	return 0;
}
