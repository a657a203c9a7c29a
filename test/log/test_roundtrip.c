/* SPDX-License-Identifier: MIT
 * What was written comes back: streams, segments, order, filters, runs.
 */
#include "fixture.h"

TestSuite(roundtrip, .init = fixture_setup, .fini = fixture_teardown);

Test(roundtrip, streams_and_segments_merge_by_time)
{
	struct kp_log_writer *writer = fixture_create(40000);
	struct kp_buf all = {0}, back = {0};
	uint64_t time_ns = 1000, rnd = 1;
	const struct kp_log_info *info;
	struct kp_log_reader *reader;

	for (uint32_t i = 0; i < 60; i++)
		fixture_append(writer, i * 7 % 5, 50, &time_ns, &rnd, &all);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, &back), 3000);
	cr_assert_eq(back.len, all.len);
	cr_assert_eq(memcmp(back.data, all.data, all.len), 0);
	info = kp_log_get_info(reader);
	cr_assert_str_eq(info->node, "node-1");
	cr_assert(strlen(info->machine_id) == 32 || access("/etc/machine-id", R_OK) < 0);
	cr_assert_eq(strlen(info->boot_id), 36);
	cr_assert_eq(info->run_cnt, 1);
	cr_assert_eq(strlen(info->runs[0].id), 16);
	cr_assert_str_eq(info->options_json, "{}");
	cr_assert_str_eq(info->dir, fixture_path(0));
	cr_assert_gt(info->segment_cnt, 2);
	cr_assert_eq(info->block_cnt, 60);
	cr_assert_eq(info->event_cnt, 3000);
	cr_assert_eq(info->first_ns, 1010);
	cr_assert_eq(info->last_ns, time_ns);
	cr_assert_eq(info->gap_cnt, 0);
	cr_assert_eq(info->unknown_cnt, 0);

	kp_buf_reset(&back);
	cr_assert_eq(kp_log_rewind(reader, NULL), 0);
	cr_assert_eq(fixture_read(reader, &back), 3000);
	cr_assert_eq(memcmp(back.data, all.data, all.len), 0);
	kp_log_reader_free(reader);

	reader = fixture_open(fixture_path(0), NULL); /* the boot's folder */
	cr_assert_eq(fixture_read(reader, NULL), 3000);
	kp_log_reader_free(reader);
	reader = fixture_open(fixture_path(2), NULL); /* one segment */
	cr_assert(fixture_read(reader, NULL) % 50 == 0);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
	kp_buf_done(&all);
	kp_buf_done(&back);
}

Test(roundtrip, streams_are_chosen_by_who_wrote_them)
{
	static const struct {
		uint32_t stream, kind, cnt;
	} rows[] = {
		{3, KP_LOG_NODE, 11},
		{KP_STREAM_SNAPSHOT, KP_LOG_SNAPSHOT, 12},
		{3 | KP_STREAM_SELECTED, KP_LOG_SELECTED, 13},
		{3 | KP_STREAM_SELECTED | KP_STREAM_BULK, KP_LOG_SELECTED, 14},
		{3 | KP_STREAM_LIFE, KP_LOG_LIFE, 15},
		{KP_CPU_USER, KP_LOG_OWN, 17},
	};
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 1000, rnd = 1;
	struct kp_log_reader *reader;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		fixture_append(writer, rows[i].stream, (int)rows[i].cnt, &time_ns, &rnd, NULL);
	fixture_close(writer);
	for (uint32_t streams = 0; streams < 16; streams++) {
		const struct kp_log_filter filter = {.streams = streams};
		uint32_t want = 0;

		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			want += !streams || rows[i].kind & streams ? rows[i].cnt : 0;
		reader = fixture_open(fixture_dir, &filter);
		cr_assert_eq(fixture_read(reader, NULL), want);
		kp_log_reader_free(reader);
	}
}

/* An event that an interrupt wrote early stays where the ring had it. */
Test(roundtrip, a_stream_keeps_its_order)
{
	static const uint64_t times[2][6] = {{100, 50, 60, 300, 290, 400},
					     {70, 80, 120, 295, 310, 500}};
	static const uint64_t want[] = {70, 80, 100, 50, 60, 120, 295, 300, 290, 310, 400, 500};
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	struct kp_buf events = {0};
	uint64_t rnd = 1;

	for (uint32_t stream = 0; stream < 2; stream++)
		for (int i = 0; i < 6; i += 2) {
			kp_buf_reset(&events);
			synth_event(&events, KP_EV_irq, times[stream][i], 0, &rnd);
			synth_event(&events, KP_EV_irq, times[stream][i + 1], 0, &rnd);
			cr_assert_eq(kp_log_append(writer, stream, events.data,
						   (uint32_t)events.len, no_loss, NULL),
				     0);
		}
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	for (size_t i = 0; i < 12; i++) {
		cr_assert_eq(kp_log_next(reader, &event, NULL), 1);
		cr_expect_eq(event->time_ns, want[i], "%zu: %" PRIu64, i, event->time_ns);
	}
	cr_assert_eq(kp_log_next(reader, &event, NULL), 0);
	cr_assert_eq(kp_log_next(reader, &event, NULL), 0);
	kp_log_reader_free(reader);
	kp_buf_done(&events);
}

static size_t count_matching(const struct kp_buf *all, const struct kp_log_filter *f)
{
	const struct kp_hdr *event;
	size_t cnt = 0;

	for (size_t at = 0; at < all->len; at += event->size) {
		event = (const struct kp_hdr *)(all->data + at);
		cnt += event->time_ns >= f->from_ns && (!f->to_ns || event->time_ns <= f->to_ns) &&
		       (kp_set_is_empty(&f->kinds) || kp_set_has(&f->kinds, event->kind));
	}
	return cnt;
}

Test(roundtrip, filters)
{
	const struct kp_log_filter filters[] = {
		{.from_ns = 5000},
		{.to_ns = 5000},
		{.from_ns = 3333, .to_ns = 7777},
		{.kinds = KP_KINDS(KP_EV_syscall, KP_EV_task)},
		{.from_ns = 3330, .to_ns = 7770, .kinds = KP_KINDS(KP_EV_syscall)},
		{.from_ns = 3330, .to_ns = 3330},
		{.from_ns = 1000000},
		{.to_ns = 1},
	};
	struct kp_log_writer *writer = fixture_create(20000);
	struct kp_buf all = {0}, back = {0};
	uint64_t time_ns = 0, rnd = 2;
	struct kp_log_reader *reader;

	for (uint32_t i = 0; i < 50; i++)
		fixture_append(writer, i % 3, 20, &time_ns, &rnd, &all);
	fixture_close(writer);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		kp_buf_reset(&back);
		reader = fixture_open(fixture_dir, &filters[i]);
		cr_expect_eq(fixture_read(reader, &back), count_matching(&all, &filters[i]),
			     "filter %zu", i);
		cr_expect(fixture_is_subset(&back, &all));
		cr_assert_eq(kp_log_rewind(reader, NULL), 0);
		cr_expect_eq(fixture_read(reader, NULL), count_matching(&all, &filters[i]));
		kp_log_reader_free(reader);
	}
	kp_buf_done(&all);
	kp_buf_done(&back);
}

/* Bytes that this process has read so far. */
static uint64_t bytes_read(void)
{
	FILE *f = fopen("/proc/self/io", "re");
	uint64_t cnt = 0;

	cr_assert_eq(fscanf(f, "rchar: %" SCNu64, &cnt), 1);
	fclose(f);
	return cnt;
}

/* Of what lies outside the times asked for only seals are read. */
Test(roundtrip, a_part_of_a_log_costs_its_own_bytes)
{
	struct kp_log_writer *writer = fixture_create(4 << 20);
	uint64_t time_ns = 0, rnd = 8, before, cost, len;
	struct kp_log_filter filter;
	struct kp_log_reader *reader;
	struct kp_buf events = {0};

	for (int i = 0; i < 400; i++) {
		kp_buf_reset(&events);
		while (events.len < 200000)
			synth_event(&events, KP_EV_payload, time_ns += 10, 60000, &rnd);
		cr_assert_eq(kp_log_append(writer, i % 3, events.data, (uint32_t)events.len,
					   no_loss, NULL),
			     0);
	}
	fixture_close(writer);
	before = bytes_read();
	filter =
		(struct kp_log_filter){.from_ns = time_ns / 10 * 9, .to_ns = time_ns / 10 * 9 + 30};
	reader = fixture_open(fixture_dir, &filter);
	cr_assert_gt(fixture_read(reader, NULL), 0);
	cost = bytes_read() - before;
	len = kp_log_get_info(reader)->len;
	cr_assert_eq(kp_log_get_info(reader)->block_cnt, 400);
	cr_assert_eq(kp_log_get_info(reader)->last_ns, time_ns);
	cr_assert_lt(cost, len / 50, "%" PRIu64 " of %" PRIu64, cost, len);
	kp_log_reader_free(reader);
	kp_buf_done(&events);
}

Test(roundtrip, lost_counts_add_up_over_runs)
{
	uint64_t lost[KP_GROUP_CNT] = {0}, time_ns = 0, rnd = 3;
	struct kp_buf events = {0};
	struct kp_log_reader *reader;
	struct kp_log_writer *writer;

	synth_event(&events, KP_EV_irq, time_ns, 0, &rnd);
	for (int run = 0; run < 3; run++) {
		writer = fixture_create(1); /* each block a segment */
		for (uint64_t i = 1; i <= 4; i++)
			for (uint32_t stream = 0; stream < 2; stream++) {
				lost[KP_GROUP_sched] = i * (stream + 1);
				lost[KP_GROUP_meta] = 5;
				cr_assert_eq(kp_log_append(writer, stream, events.data,
							   (uint32_t)events.len, lost, NULL),
					     0);
			}
		fixture_close(writer);
	}
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(kp_log_get_info(reader)->segment_cnt, 24);
	cr_assert_eq(kp_log_get_info(reader)->lost[KP_GROUP_sched], 3 * (4 + 8));
	cr_assert_eq(kp_log_get_info(reader)->lost[KP_GROUP_meta], 3 * 2 * 5);
	cr_assert_eq(kp_log_get_info(reader)->lost[KP_GROUP_irq], 0);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
	kp_buf_done(&events);
}

/* Times in any order and at any distance, and tasks whose processes change or share a place. */
Test(roundtrip, what_is_not_as_predicted)
{
	static const uint64_t times[] = {5, 5, 0, 1, UINT64_MAX, 3, 1ull << 63, 0, UINT64_MAX - 1};
	static const uint32_t tids[] = {0, 1, 1025, 1, 2049, 0, UINT32_MAX};
	struct kp_ev_sched_switch ev = {.hdr = {.size = sizeof(ev), .kind = KP_EV_sched_switch}};
	struct kp_buf events = {0}, back = {0};
	struct kp_decoder *decoder;
	struct kp_encoder *encoder;
	struct kp_schema *schema;
	struct kp_encoded enc;
	struct kp_decode dec;

	for (unsigned i = 0; i < 9 * 7 * 4; i++) {
		ev.hdr.time_ns = times[i % 9];
		ev.hdr.tid = tids[i % 7];
		ev.hdr.pid = i % 3 ? ev.hdr.tid : i;
		ev.hdr.cpu = (kp_u16)(i % 2 ? 0xffff : i);
		ev.next_tid = i % 5 ? tids[(i + 1) % 7] : i;
		ev.next_pid = i % 4 ? ev.next_tid : UINT32_MAX - i;
		kp_buf_append(&events, &ev, sizeof(ev));
	}
	cr_assert_eq(kp_encoder_new(KP_CODEC_DELTA, &encoder, NULL), 0);
	cr_assert_eq(kp_decoder_new(&decoder, NULL), 0);
	cr_assert_eq(kp_schema_own(&schema, NULL), 0);
	cr_assert_eq(kp_encode(encoder, events.data, events.len, &enc, NULL), 0);
	cr_assert_eq(enc.codec, KP_CODEC_DELTA);
	dec = (struct kp_decode){.codec = enc.codec,
				 .raw_len = (uint32_t)events.len,
				 .event_cnt = enc.event_cnt,
				 .kinds = enc.kinds,
				 .first_ns = enc.first_ns,
				 .last_ns = enc.last_ns};
	cr_assert_eq(kp_decode(decoder, schema, &dec, enc.data, enc.len, &back, NULL), 0);
	cr_assert_eq(back.len, events.len);
	cr_assert_arr_eq(back.data, events.data, back.len);
	kp_decoder_free(decoder);
	kp_encoder_free(encoder);
	kp_schema_free(schema);
	kp_buf_done(&events);
	kp_buf_done(&back);
}

static void count_segment(uint64_t segment, void *arg)
{
	uint64_t *cnt = arg;

	cr_assert_eq(segment, ++*cnt);
}

/* A snapshot longer than a segment must not begin the next one, or there would be no end. */
Test(roundtrip, a_snapshot_does_not_fill_a_segment)
{
	uint64_t segments = 0, time_ns = 0, rnd = 4;
	struct kp_log_options options = {.segment_len = 12000,
					 .codec = KP_CODEC_DELTA,
					 .on_segment = count_segment,
					 .on_segment_arg = &segments};
	struct kp_log_writer *writer;
	struct kp_log_reader *reader;

	cr_assert_eq(kp_log_create(fixture_dir, &options, &writer, NULL), 0);
	cr_assert_eq(segments, 1);
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 30; k++)
			fixture_append(writer, KP_STREAM_SNAPSHOT, 20, &time_ns, &rnd, NULL);
		fixture_append(writer, 0, 20, &time_ns, &rnd, NULL);
	}
	fixture_close(writer);
	cr_assert_leq(segments, 5);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), (5 * 30 + 5) * 20);
	cr_assert_eq(kp_log_get_info(reader)->segment_cnt, segments);
	kp_log_reader_free(reader);
}

Test(roundtrip, the_newest_boot_is_read)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 5;
	struct kp_log_reader *reader;
	char older[256];

	fixture_append(writer, 0, 3, &time_ns, &rnd, NULL);
	fixture_close(writer);
	snprintf(older, sizeof(older), "%s/00000000-older", fixture_dir);
	cr_assert_eq(rename(fixture_path(0), older), 0);
	writer = fixture_create(0);
	fixture_append(writer, 0, 7, &time_ns, &rnd, NULL);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 7);
	kp_log_reader_free(reader);
	reader = fixture_open(older, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 3);
	kp_log_reader_free(reader);
}

/* By the number of the boot, not by a clock that was an hour ahead then. */
Test(roundtrip, the_newest_boot_is_found_without_the_wall_clock)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 5;
	struct kp_log_reader *reader;
	union kp_seg_head head;
	char older[300];
	int fd;

	fixture_append(writer, 0, 3, &time_ns, &rnd, NULL);
	fixture_close(writer);
	fd = open(fixture_path(1), O_RDWR);
	cr_assert_eq(read(fd, &head, sizeof(head.hdr)), (ssize_t)sizeof(head.hdr));
	head.hdr.realtime_ns += 3600000000000;
	kp_seg_head_seal(&head);
	cr_assert_eq(pwrite(fd, &head, sizeof(head.hdr), 0), (ssize_t)sizeof(head.hdr));
	close(fd);
	snprintf(older, sizeof(older), "%s/ffffffff-older", fixture_dir);
	cr_assert_eq(rename(fixture_path(0), older), 0);
	writer = fixture_create(0);
	fixture_append(writer, 0, 7, &time_ns, &rnd, NULL);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(fixture_read(reader, NULL), 7);
	kp_log_reader_free(reader);
	writer = fixture_create(0); /* the same boot again: its number stays */
	fixture_append(writer, 0, 2, &time_ns, &rnd, NULL);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(fixture_read(reader, NULL), 9);
	cr_expect_eq(kp_log_get_info(reader)->run_cnt, 2);
	kp_log_reader_free(reader);
}

/* A crash while a segment is begun does not make its boot the oldest. */
Test(roundtrip, a_torn_header_does_not_hide_the_newest_boot)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 5;
	struct kp_log_reader *reader;
	char name[400];

	fixture_append(writer, 0, 3, &time_ns, &rnd, NULL);
	fixture_close(writer);
	snprintf(name, sizeof(name), "%s/ffffffff-older", fixture_dir);
	cr_assert_eq(rename(fixture_path(0), name), 0);
	writer = fixture_create(0);
	fixture_append(writer, 0, 7, &time_ns, &rnd, NULL);
	fixture_close(writer);
	snprintf(name, sizeof(name), "%s/00000002.kpl", fixture_path(0));
	close(open(name, O_WRONLY | O_CREAT, 0600));
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(fixture_read(reader, NULL), 7);
	kp_log_reader_free(reader);
}

Test(roundtrip, modes_and_names)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 6;
	struct stat st;

	fixture_append(writer, 0, 3, &time_ns, &rnd, NULL);
	cr_assert_eq(kp_log_sync(writer, NULL), 0);
	cr_assert_eq(stat(fixture_path(0), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(fixture_path(1), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq((uint64_t)st.st_size, kp_log_written(writer));
	fixture_close(writer);
}

Test(roundtrip, nothing_there)
{
	struct kp_log_reader *reader;
	struct kp_err err = {""};
	char path[128];
	int fd;

	cr_assert_eq(kp_log_open("/nonexistent/log", NULL, &reader, &err), -ENOENT);
	cr_assert_neq(err.text[0], '\0');
	cr_assert_eq(kp_log_open(fixture_dir, NULL, &reader, &err), -ENOENT);
	snprintf(path, sizeof(path), "%s/00000001.kpl", fixture_dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_eq(pwrite(fd, "no segment, but long enough", 27, 0), 27);
	cr_assert_eq(ftruncate(fd, sizeof(struct kp_seg_hdr)), 0);
	close(fd);
	cr_assert_eq(kp_log_open(path, NULL, &reader, &err), -EBADMSG);
	cr_assert_not_null(strstr(err.text, "not a segment"), "%s", err.text);
}

Test(roundtrip, bad_events_are_refused)
{
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_buf events = {0};
	uint64_t rnd = 7, before = kp_log_written(writer);

	synth_event(&events, KP_EV_irq, 5, 0, &rnd);
	synth_event(&events, KP_EV_irq, 6, 0, &rnd);
	cr_assert_eq(kp_log_append(writer, 0, events.data, (uint32_t)events.len - 8, no_loss, NULL),
		     -EINVAL);
	cr_assert_eq(kp_log_append(writer, 0, events.data, 0, no_loss, NULL), -EINVAL);
	cr_assert_eq(kp_log_append(writer, 0, events.data, KP_BLOCK_RAW_MAX + 8, no_loss, NULL),
		     -E2BIG);
	cr_assert_eq(kp_log_written(writer), before);
	fixture_close(writer);
	kp_buf_done(&events);
}
