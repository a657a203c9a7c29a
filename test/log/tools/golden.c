/* SPDX-License-Identifier: MIT
 *
 * Writes the logs of test/log/golden, once for each format: FOLDER with a run for each codec, all
 * kinds of events in each, and FOLDER.jsonl, what `kprobe dump` is to say of them for ever.
 *
 *   unshare -m sh -c 'mount --bind ID /etc/machine-id && golden FOLDER'
 *
 * with a file ID that has any 32 hex digits: the logs tell nothing of the host that made them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "../synth.h"
#include "log/reader.h"
#include "log/writer.h"

#define STREAMS 2

/* Stands before the C library's. */
int uname(struct utsname *uts)
{
	*uts = (struct utsname){.sysname = "Linux", .release = "6.1.0"};
	return 0;
}

static void fail(const char *what)
{
	fprintf(stderr, "golden: %s\n", what);
	exit(1);
}

/* A run of one segment: a block of all kinds for each stream, and losses on the last. */
static void write_run(const char *folder, enum kp_codec codec, uint64_t *time_ns)
{
	struct kp_log_options options = {.node = "golden", .codec = codec};
	uint64_t lost[KP_GROUP_CNT] = {0}, rnd = codec + 1;
	struct kp_log_writer *writer;
	struct kp_buf events = {0};

	if (kp_log_create(folder, &options, &writer, NULL) < 0)
		fail("cannot begin a log");
	for (uint32_t stream = 0; stream < STREAMS; stream++) {
		kp_buf_reset(&events);
		for (unsigned kind = 1; kind < KP_EV_END; kind++)
			if (kp_event_get(kind))
				synth_event(&events, kind, *time_ns += 1000, 20, &rnd);
		lost[KP_GROUP_irq] = stream * 5;
		if (kp_log_append(writer, stream, events.data, (uint32_t)events.len, lost, NULL) <
		    0)
			fail("cannot write");
	}
	if (kp_log_close(writer, NULL) < 0)
		fail("cannot end");
	kp_buf_done(&events);
}

static void write_dump(const char *folder)
{
	const struct kp_print how = {0};
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	struct kp_buf text = {0};
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s.jsonl", folder);
	out = fopen(path, "we");
	if (!out || kp_log_open(folder, NULL, &reader, NULL) < 0)
		fail("cannot read it back");
	while (kp_log_next(reader, &event, NULL) == 1) {
		kp_buf_reset(&text);
		kp_event_print_json(event, &how, &text);
		fprintf(out, "%s\n", text.data);
	}
	fclose(out);
	kp_log_reader_free(reader);
	kp_buf_done(&text);
}

int main(int argc, char **argv)
{
	uint64_t time_ns = 1000000;

	if (argc != 2) {
		fprintf(stderr, "usage: golden FOLDER\n");
		return 2;
	}
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++)
		write_run(argv[1], codec, &time_ns);
	write_dump(argv[1]);
	return 0;
}
