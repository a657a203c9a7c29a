/* SPDX-License-Identifier: MIT
 * Logs of other versions: kinds that are unknown or elsewhere, fields that are unknown or missing.
 */
#include "fixture.h"

#include "forge.h"
#include "log/codec.h"

TestSuite(schema, .init = fixture_setup, .fini = fixture_teardown);

/* Writes a segment with this header text and one block of these stored bytes. */
static const char *write_segment(const char *text, enum kp_codec codec, const void *stored,
				 uint32_t stored_len, uint32_t raw_len, uint32_t event_cnt,
				 uint64_t first_ns, uint64_t last_ns)
{
	static char path[128];
	struct kp_block_hdr block = {.codec = (kp_u8)codec,
				     .first_ns = first_ns,
				     .last_ns = last_ns,
				     .event_cnt = event_cnt,
				     .raw_len = raw_len,
				     .stored_len = stored_len};
	struct forge f;

	snprintf(path, sizeof(path), "%s/00000001.kpl", fixture_dir);
	cr_assert_eq(forge_begin(&f, open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600),
				 (struct kp_seg_hdr){.sequence = 1}, text, strlen(text)),
		     0);
	cr_assert_eq(forge_block(&f, block, stored), 0);
	close(f.fd);
	return path;
}

/* This program's schema with every `from` replaced. Freed by the caller. */
static char *own_text_with(const char *from, const char *to)
{
	struct kp_buf own = {0}, out = {0};
	const char *at, *hit;

	kp_buf_puts(&own, "{\"groups\":");
	kp_event_print_groups(&own);
	kp_buf_puts(&own, ",\"schema\":");
	kp_event_print_schema(&own);
	kp_buf_putc(&own, '}');
	for (at = own.data; (hit = strstr(at, from)); at = hit + strlen(from)) {
		kp_buf_append(&out, at, (size_t)(hit - at));
		kp_buf_puts(&out, to);
	}
	kp_buf_puts(&out, at);
	kp_buf_done(&own);
	return out.data;
}

static const char *write_encoded(const char *text, enum kp_codec codec, const struct kp_buf *events)
{
	struct kp_encoder *encoder;
	struct kp_encoded enc;
	const char *path;

	cr_assert_eq(kp_encoder_new(codec, &encoder, NULL), 0);
	cr_assert_eq(kp_encode(encoder, events->data, events->len, &enc, NULL), 0);
	path = write_segment(text, enc.codec, enc.data, enc.len, (uint32_t)events->len,
			     enc.event_cnt, enc.first_ns, enc.last_ns);
	kp_encoder_free(encoder);
	return path;
}

Test(schema, unknown_kinds_are_left_out_and_counted)
{
	char *text = own_text_with("\"name\":\"memory\"", "\"name\":\"hyperspace\"");
	struct kp_buf events = {0}, back = {0}, want = {0};
	struct kp_log_reader *reader;
	uint64_t rnd = 31;

	for (uint64_t i = 0; i < 200; i++) {
		unsigned kind = i % 5 ? KP_EV_fd : KP_EV_memory;
		size_t begin = events.len;

		synth_event(&events, kind, 100 + i, 30, &rnd);
		if (kind == KP_EV_fd)
			kp_buf_append(&want, events.data + begin, events.len - begin);
	}
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++) {
		kp_buf_reset(&back);
		reader = fixture_open(write_encoded(text, codec, &events), NULL);
		cr_assert_eq(fixture_read(reader, &back), 160);
		cr_assert_eq(back.len, want.len);
		cr_assert_eq(memcmp(back.data, want.data, want.len), 0);
		cr_assert_eq(kp_log_get_info(reader)->unknown_cnt, 40);
		cr_assert_eq(kp_log_get_info(reader)->unknown_kind_cnt, 1);
		cr_assert_str_eq(kp_log_get_info(reader)->unknown_kinds[0].name, "hyperspace");
		cr_assert_eq(kp_log_get_info(reader)->unknown_kinds[0].cnt, 40);
		cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
		kp_log_reader_free(reader);
	}
	free(text);
	kp_buf_done(&events);
	kp_buf_done(&back);
	kp_buf_done(&want);
}

Test(schema, fields_map_by_name)
{
	char *text = own_text_with("[\"target_tid\",\"u32\",\"TASK\"]",
				   "[\"something\",\"u32\",\"TASK\"]");
	struct kp_buf events = {0};
	const struct kp_ev_sched_migrate *was, *is;
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	uint64_t rnd = 32;

	synth_event(&events, KP_EV_sched_migrate, 100, 0, &rnd);
	was = (const struct kp_ev_sched_migrate *)events.data;
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++) {
		reader = fixture_open(write_encoded(text, codec, &events), NULL);
		cr_assert_eq(kp_log_next(reader, &event, NULL), 1);
		is = (const struct kp_ev_sched_migrate *)event;
		cr_expect_eq(is->target_tid, 0);
		cr_expect_eq(is->target_pid, was->target_pid);
		cr_expect_eq(is->dest_cpu, was->dest_cpu);
		kp_log_reader_free(reader);
	}
	free(text);
	kp_buf_done(&events);
}

/* What a log says of groups is translated by name, in events too. */
Test(schema, groups_map_by_name)
{
	char *text = own_text_with("[\"sched\",\"life\",", "[\"life\",\"gravity\",");
	static const uint32_t want[] = {KP_GROUP_life, KP_GROUP_UNKNOWN, KP_GROUP_syscall,
					KP_GROUP_UNKNOWN};
	static const uint32_t numbers[] = {0, 1, 2, 200};
	struct kp_buf events = {0};
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	uint64_t rnd = 33;

	for (unsigned i = 0; i < 4; i++) {
		size_t at = events.len;

		synth_event(&events, KP_EV_lost, 100 + i, 0, &rnd);
		((struct kp_ev_lost *)(events.data + at))->lost_group = numbers[i];
	}
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++) {
		reader = fixture_open(write_encoded(text, codec, &events), NULL);
		for (unsigned i = 0; i < 4; i++) {
			cr_assert_eq(kp_log_next(reader, &event, NULL), 1);
			cr_expect_eq(((const struct kp_ev_lost *)event)->lost_group, want[i]);
		}
		kp_log_reader_free(reader);
	}
	free(text);
	kp_buf_done(&events);
}

/* Counts of a writer with more groups than we have, and with others. */
Test(schema, lost_counts_map_by_name)
{
	static const char text[] = "{\"run\":\"1\",\"groups\":[\"gravity\",\"irq\"],\"schema\":[]}";
	union kp_block_head head = {.hdr = {.magic = KP_BLOCK_MAGIC,
					    .salt = FORGE_SALT,
					    .len = sizeof(head.hdr) + 8 * 20 + 16,
					    .lost_cnt = 20,
					    .event_cnt = 1,
					    .raw_len = 24,
					    .stored_len = 24}};
	const struct kp_log_info *info;
	struct kp_log_reader *reader;
	char path[128], stored[24] = "";
	struct forge f;

	snprintf(path, sizeof(path), "%s/00000001.kpl", fixture_dir);
	cr_assert_eq(forge_begin(&f, open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600),
				 (struct kp_seg_hdr){.sequence = 1}, text, strlen(text)),
		     0);
	head.lost[0] = 7;
	head.lost[1] = 3;
	head.lost[19] = 2;
	memset(head.bytes + sizeof(head.hdr) + 8 * 20, 0x55, 16); /* a later version's */
	head.hdr.prev = f.prev;
	head.hdr.payload = kp_seg_hash(stored, sizeof(stored));
	kp_block_head_seal(&head);
	cr_assert_eq(kp_seg_write(f.fd,
				  (struct iovec[]){{&head, head.hdr.len}, {stored, sizeof(stored)}},
				  2, f.pos),
		     0);
	close(f.fd);
	reader = fixture_open(path, NULL);
	info = kp_log_get_info(reader);
	cr_assert_eq(info->gap_cnt, 0);
	cr_expect_eq(info->lost[KP_GROUP_irq], 3);
	cr_expect_eq(info->lost[KP_GROUP_sched], 0);
	cr_assert_eq(info->unknown_lost_cnt, 2);
	cr_expect_str_eq(info->unknown_lost[0].name, "gravity");
	cr_expect_eq(info->unknown_lost[0].cnt, 7);
	cr_expect_str_eq(info->unknown_lost[1].name, "without a name");
	cr_expect_eq(info->unknown_lost[1].cnt, 2);
	kp_log_reader_free(reader);
}

/* A segment in another's place: the next one names the header behind which it was begun. */
Test(schema, the_chain_leads_from_segment_to_segment)
{
	static const char text[] = "{\"run\":\"1\",\"schema\":[]}";
	char path[2][128];
	struct kp_log_reader *reader;
	struct kp_hash prev = {{0}};
	struct forge f;

	for (int changed = 0; changed < 2; changed++) {
		for (unsigned i = 0; i < 2; i++) {
			snprintf(path[i], sizeof(path[i]), "%s/0000000%u.kpl", fixture_dir, i + 1);
			cr_assert_eq(
				forge_begin(&f, open(path[i], O_CREAT | O_RDWR | O_CLOEXEC, 0600),
					    (struct kp_seg_hdr){.sequence = i + 1, .prev = prev},
					    text, strlen(text)),
				0);
			prev = f.prev;
			prev.bytes[5] ^= (kp_u8)changed;
			cr_assert_eq(forge_end(&f), 0);
		}
		reader = fixture_open(fixture_dir, NULL);
		cr_expect_eq(kp_log_get_info(reader)->gap_cnt, (size_t)changed);
		if (changed)
			cr_expect_not_null(
				strstr(kp_log_get_info(reader)->gaps[0].why, "not the segment"));
		kp_log_reader_free(reader);
		unlink(path[0]);
		unlink(path[1]);
	}
}

/* An older log: `fd` had no obj and a shorter number, and was kind 90. */
Test(schema, missing_fields_are_zero)
{
	static const char text[] =
		"{\"schema\":[{\"kind\":90,\"name\":\"fd\",\"tail\":\"STR\",\"fields\":"
		"[[\"ino\",\"u32\"],[\"data_len\",\"u32\"]]}]}";
	struct {
		struct kp_hdr hdr;
		kp_u32 ino, data_len;
		char data[8];
	} old[3];
	const struct kp_ev_fd *fd;
	struct kp_log_reader *reader;
	const struct kp_hdr *event;

	memset(old, 0, sizeof(old));
	for (unsigned i = 0; i < 3; i++) {
		old[i].hdr = (struct kp_hdr){100 + i, sizeof(old[i]), 90, KP_CPU_USER, 5, 5};
		old[i].ino = 4000000000u + i;
		old[i].data_len = 4 + i;
		memcpy(old[i].data, "/dev/null", 4 + i);
	}
	reader = fixture_open(
		write_segment(text, KP_CODEC_RAW, old, sizeof(old), sizeof(old), 3, 100, 102),
		NULL);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(kp_log_next(reader, &event, NULL), 1);
		cr_assert_eq(event->kind, KP_EV_fd);
		cr_assert_eq(kp_event_validate(event, event->size, NULL), 0);
		fd = (const struct kp_ev_fd *)event;
		cr_expect_eq(fd->ino, 4000000000u + i);
		cr_expect_eq(fd->obj, 0);
		cr_expect_eq(fd->data_len, 4 + i);
		cr_expect_eq(memcmp(KP_TAIL(fd), "/dev/null", 4 + i), 0);
	}
	cr_assert_eq(kp_log_next(reader, &event, NULL), 0);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
}

Test(schema, unusable_texts_are_refused)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"schema\":5}",
		"{\"schema\":[5]}",
		"{\"schema\":[{\"kind\":0,\"name\":\"a\",\"tail\":\"NONE\",\"fields\":[]}]}",
		"{\"schema\":[{\"kind\":256,\"name\":\"a\",\"tail\":\"NONE\",\"fields\":[]}]}",
		"{\"schema\":[{\"kind\":1,\"name\":\"a\",\"tail\":\"STR\",\"fields\":[]}]}",
		"{\"schema\":[{\"kind\":1,\"name\":\"a\",\"tail\":\"NONE\",\"fields\":[[\"b\","
		"\"u8\"]]}]}",
		"{\"schema\":[{\"kind\":1,\"name\":\"a\",\"tail\":\"NONE\",\"fields\":[[\"b\","
		"\"u9\"]]}]}",
		"{\"schema\":[{\"kind\":1,\"name\":\"a\",\"tail\":\"NONE\",\"fields\":[]},"
		"{\"kind\":1,\"name\":\"b\",\"tail\":\"NONE\",\"fields\":[]}]}",
	};
	struct kp_log_reader *reader;
	struct kp_err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(kp_log_open(write_segment(texts[i], KP_CODEC_RAW, "", 0, 0, 1, 0, 0),
					 NULL, &reader, &err),
			     -EBADMSG, "text %zu", i);
}
