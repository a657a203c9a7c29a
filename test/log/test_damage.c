/* SPDX-License-Identifier: MIT
 * Logs that are cut or changed: what is good is read, what is not is reported, nothing is invented.
 */
#include "fixture.h"

#include "base/limit.h"
#include "log/codec.h"
#include "log/delta.h"

#define BLOCKS_MAX 64

TestSuite(damage, .init = fixture_setup, .fini = fixture_teardown);

/* A log of one segment; `ends` are the offsets behind each block. */
struct small_log {
	struct kp_buf all;
	uint64_t hdr_len;
	uint64_t ends[BLOCKS_MAX];
	size_t event_ends[BLOCKS_MAX]; /* in all */
	size_t block_cnt;
};

static void write_log(struct small_log *log, size_t block_cnt, int events_per_block)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 11;

	*log = (struct small_log){.hdr_len = kp_log_written(writer), .block_cnt = block_cnt};
	for (size_t i = 0; i < block_cnt; i++) {
		fixture_append(writer, i % 3, events_per_block, &time_ns, &rnd, &log->all);
		log->ends[i] = kp_log_written(writer);
		log->event_ends[i] = log->all.len;
	}
	fixture_close(writer);
}

/* What is left of the log when it is cut at len; the file is len long. */
static void check_cut(const struct small_log *log, const char *path, uint64_t len)
{
	const struct kp_log_info *info;
	struct kp_log_reader *reader;
	struct kp_buf back = {0};
	size_t whole = 0;
	bool at_end;

	if (len < log->hdr_len) {
		cr_assert_eq(kp_log_open(path, NULL, &reader, NULL), -EBADMSG);
		return;
	}
	while (whole < log->block_cnt && log->ends[whole] <= len)
		whole++;
	at_end = len == (whole ? log->ends[whole - 1] : log->hdr_len);
	reader = fixture_open(path, NULL);
	fixture_read(reader, &back);
	cr_assert_eq(back.len, whole ? log->event_ends[whole - 1] : 0, "cut at %" PRIu64, len);
	if (back.len)
		cr_assert_eq(memcmp(back.data, log->all.data, back.len), 0);
	info = kp_log_get_info(reader);
	cr_assert_eq(info->gap_cnt, at_end ? 0 : 1, "cut at %" PRIu64, len);
	if (!at_end) {
		cr_assert(info->gaps[0].torn);
		cr_assert_eq(info->gaps[0].offset, whole ? log->ends[whole - 1] : log->hdr_len);
		cr_assert_eq(info->gaps[0].offset + info->gaps[0].len, len);
		cr_assert_str_eq(info->gaps[0].file, path);
	}
	kp_log_reader_free(reader);
	kp_buf_done(&back);
}

Test(damage, cut_at_every_byte)
{
	struct small_log log;
	const char *path;

	write_log(&log, 6, 5);
	path = fixture_path(1);
	for (uint64_t len = log.ends[log.block_cnt - 1] + 1; len-- > 0;) {
		cr_assert_eq(truncate(path, (off_t)len), 0);
		check_cut(&log, path, len);
	}
	kp_buf_done(&log.all);
}

Test(damage, cuts_of_a_larger_log)
{
	struct small_log log;
	const char *path;

	write_log(&log, 40, 1000);
	path = fixture_path(1);
	for (uint64_t len = log.ends[39]; len > 1000; len -= len / 61 + 1) {
		cr_assert_eq(truncate(path, (off_t)len), 0);
		check_cut(&log, path, len);
	}
	kp_buf_done(&log.all);
}

/* Reads a damaged log: returns whether the damage was reported; all else must be as it was. */
static bool is_reported(const struct small_log *log, const char *path)
{
	struct kp_buf back = {0};
	struct kp_log_reader *reader;
	bool reported;

	if (kp_log_open(path, NULL, &reader, NULL) < 0)
		return true;
	fixture_read(reader, &back);
	cr_assert(fixture_is_subset(&back, &log->all));
	reported = kp_log_get_info(reader)->gap_cnt > 0;
	cr_assert(reported || back.len == log->all.len);
	kp_log_reader_free(reader);
	kp_buf_done(&back);
	return reported;
}

Test(damage, one_bit_of_every_byte)
{
	struct small_log log;
	uint64_t rnd = 12;
	unsigned char byte, changed;
	int fd;

	write_log(&log, 6, 5);
	fd = open(fixture_path(1), O_RDWR | O_CLOEXEC);
	for (uint64_t at = 0; at < log.ends[log.block_cnt - 1]; at++) {
		cr_assert_eq(pread(fd, &byte, 1, (off_t)at), 1);
		changed = byte ^ (unsigned char)(1u << synth_random(&rnd) % 8);
		cr_assert_eq(pwrite(fd, &changed, 1, (off_t)at), 1);
		cr_assert(is_reported(&log, fixture_path(1)), "byte %" PRIu64, at);
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	cr_assert_not(is_reported(&log, fixture_path(1)));
	close(fd);
	kp_buf_done(&log.all);
}

/* An index or a seal that is damaged costs nothing but is told. */
Test(damage, one_bit_behind_the_blocks)
{
	struct kp_log_reader *reader;
	struct kp_buf back = {0};
	struct small_log log;
	unsigned char byte, changed;
	uint64_t rnd = 15;
	struct stat st;
	int fd;

	write_log(&log, 6, 5);
	fd = open(fixture_path(1), O_RDWR | O_CLOEXEC);
	fstat(fd, &st);
	for (uint64_t at = log.ends[log.block_cnt - 1]; at < (uint64_t)st.st_size; at++) {
		cr_assert_eq(pread(fd, &byte, 1, (off_t)at), 1);
		changed = byte ^ (unsigned char)(1u << synth_random(&rnd) % 8);
		cr_assert_eq(pwrite(fd, &changed, 1, (off_t)at), 1);
		kp_buf_reset(&back);
		reader = fixture_open(fixture_dir, NULL);
		fixture_read(reader, &back);
		cr_assert_eq(back.len, log.all.len);
		cr_assert_arr_eq(back.data, log.all.data, back.len);
		cr_assert_gt(kp_log_get_info(reader)->gap_cnt, 0, "byte %" PRIu64, at);
		kp_log_reader_free(reader);
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
	kp_buf_done(&back);
	kp_buf_done(&log.all);
}

/* Damage in the middle costs one block, and is not taken for a torn end. */
Test(damage, one_block_in_the_middle)
{
	/* magic, sequence, kinds, payload */
	static const uint64_t places[] = {
		offsetof(struct kp_block_hdr, magic), offsetof(struct kp_block_hdr, sequence),
		offsetof(struct kp_block_hdr, kinds), sizeof(struct kp_block_hdr) + 2};
	const struct kp_log_gap *gap;
	struct kp_log_reader *reader;
	struct small_log log;
	unsigned char byte;
	int fd;

	write_log(&log, 10, 20);
	fd = open(fixture_path(1), O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t at = log.ends[3] + places[i];

		cr_assert_eq(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		reader = fixture_open(fixture_dir, NULL);
		cr_expect_eq(fixture_read(reader, NULL), 180);
		cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 1);
		gap = &kp_log_get_info(reader)->gaps[0];
		cr_expect_not(gap->torn);
		cr_expect_eq(gap->offset, log.ends[3]);
		cr_expect_eq(gap->len, log.ends[4] - log.ends[3]);
		cr_expect_leq(gap->from_ns, 4 * 200 + 10); /* the block's first and last time */
		cr_expect_geq(gap->to_ns, 5 * 200);
		cr_assert_eq(kp_log_rewind(reader, NULL), 0);
		cr_expect_eq(fixture_read(reader, NULL), 180);
		cr_expect_eq(kp_log_get_info(reader)->gap_cnt, 1, "listed once");
		kp_log_reader_free(reader);
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
	kp_buf_done(&log.all);
}

/* Removes [from, to) of the file; the rest moves up. */
static void cut_out(const char *path, uint64_t from, uint64_t to)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	char *rest;
	size_t len;

	fstat(fd, &st);
	len = (size_t)st.st_size - to;
	rest = malloc(len + 1);
	cr_assert_eq(kp_seg_read(fd, rest, len, to), (int64_t)len);
	cr_assert_eq(pwrite(fd, rest, len, (off_t)from), (ssize_t)len);
	cr_assert_eq(ftruncate(fd, (off_t)(from + len)), 0);
	free(rest);
	close(fd);
}

/* The end of the last block is missing, so that less than its header is left: the index behind it
 * does not fit, and the blocks before are read. */
Test(damage, a_block_cut_in_its_header_before_the_index)
{
	struct kp_log_reader *reader;
	struct small_log log;

	write_log(&log, 10, 20);
	cut_out(fixture_path(1), log.ends[8] + 100, log.ends[9]);
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(fixture_read(reader, NULL), 180);
	cr_expect_eq(kp_log_get_info(reader)->gap_cnt, 2);
	kp_log_reader_free(reader);
	kp_buf_done(&log.all);
}

Test(damage, a_missing_block_is_a_gap)
{
	struct kp_log_reader *reader;
	struct small_log log;

	write_log(&log, 10, 20);
	cut_out(fixture_path(1), log.ends[3], log.ends[4]);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 180);
	/* The first gap says that the index does not fit. */
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 2);
	cr_assert_not(kp_log_get_info(reader)->gaps[1].torn);
	cr_assert_eq(kp_log_get_info(reader)->gaps[1].offset, log.ends[3]);
	cr_assert_eq(kp_log_get_info(reader)->gaps[1].len, 0);
	kp_log_reader_free(reader);
	kp_buf_done(&log.all);
}

/* Three segments of one run; the middle one, or its last block, goes. */
Test(damage, missing_ends_and_segments_are_gaps)
{
	struct kp_log_writer *writer = fixture_create(30000);
	uint64_t time_ns = 0, rnd = 13, last_len = 0, len = 0;
	struct kp_log_reader *reader;
	size_t events = 0;
	struct stat st;

	while (access(fixture_path(3), F_OK) < 0) {
		fixture_append(writer, 0, 30, &time_ns, &rnd, NULL);
		events += 30;
		if (access(fixture_path(2), F_OK) == 0 && access(fixture_path(3), F_OK) < 0) {
			last_len = len;
			stat(fixture_path(2), &st);
			len = (uint64_t)st.st_size;
		}
	}
	fixture_close(writer);
	cr_assert_gt(last_len, 0);
	cr_assert_eq(truncate(fixture_path(2), (off_t)last_len), 0);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), events - 30);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 1);
	cr_assert_not(kp_log_get_info(reader)->gaps[0].torn);
	kp_log_reader_free(reader);
	cr_assert_eq(unlink(fixture_path(2)), 0);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 1);
	cr_assert_not(kp_log_get_info(reader)->gaps[0].torn);
	kp_log_reader_free(reader);
	cr_assert_eq(unlink(fixture_path(1)), 0); /* as retention does */
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
}

/* Payloads whose checksums are right but whose bytes are anything: straight to the decoder. */
Test(damage, decoder_takes_any_bytes)
{
	uint64_t rnd = 14, time_ns = 0;
	struct kp_buf events = {0}, back = {0};
	struct kp_encoder *encoder;
	struct kp_decoder *decoder;
	struct kp_schema *schema;
	struct kp_encoded enc;
	unsigned char *bytes;

	cr_assert_eq(kp_decoder_new(&decoder, NULL), 0);
	cr_assert_eq(kp_schema_own(&schema, NULL), 0);
	for (int i = 0; i < 60; i++)
		synth_event(&events, 1 + (unsigned)i % (KP_EV_END - 1), time_ns += 10, 60, &rnd);
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++) {
		cr_assert_eq(kp_encoder_new(codec, &encoder, NULL), 0);
		cr_assert_eq(kp_encode(encoder, events.data, events.len, &enc, NULL), 0);
		for (int i = 0; i < 20000; i++) {
			struct kp_decode dec = {.codec = enc.codec,
						.raw_len = (uint32_t)events.len,
						.event_cnt = enc.event_cnt,
						.kinds = enc.kinds,
						.last_ns = UINT64_MAX};
			size_t len = enc.len - (i % 4 ? 0 : synth_random(&rnd) % enc.len);

			bytes = malloc(len);
			memcpy(bytes, enc.data, len);
			for (uint64_t n = synth_random(&rnd) % 8; n > 0; n--)
				bytes[synth_random(&rnd) % len] = (unsigned char)synth_random(&rnd);
			if (kp_decode(decoder, schema, &dec, bytes, len, &back, NULL) == 0)
				for (size_t at = 0; at < back.len;
				     at += ((struct kp_hdr *)(back.data + at))->size)
					cr_assert_eq(kp_event_validate(back.data + at,
								       back.len - at, NULL),
						     0);
			free(bytes);
		}
		kp_encoder_free(encoder);
	}
	kp_schema_free(schema);
	kp_decoder_free(decoder);
	kp_buf_done(&events);
	kp_buf_done(&back);
}

/* A mask whose bytes have room for more bits than its kind has fields. */
Test(damage, a_mask_names_no_field_that_is_not_there)
{
	const unsigned cnt = kp_event_get(KP_EV_sched_switch)->field_cnt + KP_SCHEMA_HDR_BITS;
	unsigned char coded[KP_DELTA_COLUMNS + 4] = {4}, *mask = coded + KP_DELTA_COLUMNS + 2;
	struct kp_decode dec = {.codec = KP_CODEC_DELTA,
				.raw_len = sizeof(struct kp_ev_sched_switch),
				.event_cnt = 1,
				.kinds = KP_KINDS(KP_EV_sched_switch)};
	struct kp_buf back = {0};
	struct kp_decoder *decoder;
	struct kp_schema *schema;
	struct kp_err err = {""};

	cr_assert_eq(kp_decoder_new(&decoder, NULL), 0);
	cr_assert_eq(kp_schema_own(&schema, NULL), 0);
	cr_assert(cnt > 8 && cnt < 16);
	coded[KP_DELTA_COLUMNS + 1] = KP_EV_sched_switch;
	cr_assert_eq(kp_decode(decoder, schema, &dec, coded, sizeof(coded), &back, NULL), 0);
	cr_assert_eq(back.len, sizeof(struct kp_ev_sched_switch));
	for (unsigned bit = cnt; bit < 16; bit++) {
		mask[1] = (unsigned char)(1u << (bit - 8));
		err.text[0] = '\0';
		kp_decode(decoder, schema, &dec, coded, sizeof(coded), &back, &err);
		cr_expect_not_null(strstr(err.text, "shape is not defined"), "%s", err.text);
	}
	kp_schema_free(schema);
	kp_decoder_free(decoder);
	kp_buf_done(&back);
}

/* A block of zeros, as a process that writes zeros leaves. */
Test(damage, no_block_unpacks_beyond_its_bound)
{
	struct kp_ev_payload payload = {.hdr = {.kind = KP_EV_payload}, .data_len = KP_DATA_MAX};
	uint32_t size = KP_ALIGN8((uint32_t)sizeof(payload) + KP_DATA_MAX);
	struct kp_buf events = {0}, back = {0};
	struct kp_encoder *encoder;
	struct kp_decoder *decoder;
	struct kp_schema *schema;
	struct kp_encoded enc;
	struct kp_decode dec;
	unsigned char stored[8192];
	struct kp_err err = {""};
	size_t least;

	payload.hdr.size = size;
	cr_assert_eq(kp_decoder_new(&decoder, NULL), 0);
	cr_assert_eq(kp_schema_own(&schema, NULL), 0);
	cr_assert_eq(kp_encoder_new(KP_CODEC_DELTA_ZSTD, &encoder, NULL), 0);
	while (events.len + size <= KP_BLOCK_RAW_MAX) {
		memcpy(kp_buf_reserve(&events, size), &payload, sizeof(payload));
		memset(events.data + events.len + sizeof(payload), 0, size - sizeof(payload));
		events.len += size;
	}
	cr_assert_eq(kp_encode(encoder, events.data, events.len, &enc, NULL), 0);
	cr_assert_eq(enc.codec, KP_CODEC_DELTA_ZSTD);
	cr_assert_eq(enc.len, (events.len + KP_PACK_MAX - 1) / KP_PACK_MAX);
	dec = (struct kp_decode){.codec = enc.codec,
				 .raw_len = (uint32_t)events.len,
				 .event_cnt = enc.event_cnt,
				 .kinds = enc.kinds};
	cr_assert_eq(kp_decode(decoder, schema, &dec, enc.data, enc.len, &back, NULL), 0);
	cr_assert_eq(back.len, events.len);
	cr_assert_arr_eq(back.data, events.data, back.len);
	/* As short as it gets, as the reader just takes it, and as it does not. */
	memcpy(stored, enc.data, enc.len);
	least = events.len / KP_MAX_UNPACKED;
	cr_assert_eq(kp_decode(decoder, schema, &dec, stored, least + 1, &back, NULL), 0);
	cr_assert_eq(kp_decode(decoder, schema, &dec, stored, least - 1, &back, NULL), -EBADMSG);
	/* Only zeros may stand behind the stream. */
	stored[enc.len - 1] = 1;
	cr_assert_eq(kp_decode(decoder, schema, &dec, stored, enc.len, &back, NULL), -EBADMSG);
	/* What a schema adds counts. */
	schema->growth_max = UINT16_MAX;
	dec.event_cnt *= 8;
	cr_assert_eq(kp_decode(decoder, schema, &dec, enc.data, enc.len, &back, &err), -EBADMSG);
	cr_assert_not_null(strstr(err.text, "unpacks to more than 64 times"), "%s", err.text);
	kp_encoder_free(encoder);
	kp_schema_free(schema);
	kp_decoder_free(decoder);
	kp_buf_done(&events);
	kp_buf_done(&back);
}

/* Nobody reads through a hole of a terabyte: the test would take minutes. */
Test(damage, a_hole_is_not_searched, .timeout = 60)
{
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_log_reader *reader;
	uint64_t time_ns = 0, rnd = 3;

	fixture_append(writer, 0, 10, &time_ns, &rnd, NULL);
	fixture_close(writer);
	if (truncate(fixture_path(1), 1ll << 40) < 0)
		cr_skip_test("no file of a terabyte here");
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 10);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 1);
	kp_log_reader_free(reader);
}
