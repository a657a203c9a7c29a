/* SPDX-License-Identifier: MIT
 * Logs of yesterday and of tomorrow: those of golden/ were written once, by the first version that
 * had their format, and must read as they did then, but for kinds that are gone; and what a later
 * version adds to the schema must not disturb what we know of it.
 */
#include "fixture.h"

#include <cJSON.h>

#include "forge.h"
#include "log/delta.h"

TestSuite(golden, .init = fixture_setup, .fini = fixture_teardown);

/* Each member that it had is as it was; a later version may have more, and so be larger. */
static void check_line(const char *was, const struct kp_hdr *event)
{
	const struct kp_print how = {0};
	struct kp_buf is = {0};
	cJSON *a = cJSON_Parse(was), *b;
	const cJSON *item;

	kp_event_print_json(event, &how, &is);
	b = cJSON_Parse(is.data);
	cr_assert(a && b);
	cJSON_ArrayForEach(item, a) cr_expect(
		!strcmp(item->string, "size") ||
			cJSON_Compare(item, cJSON_GetObjectItemCaseSensitive(b, item->string), 1),
		"%s: was %s is %s", item->string, was, is.data);
	cJSON_Delete(a);
	cJSON_Delete(b);
	kp_buf_done(&is);
}

static void check_log(const char *folder)
{
	static char line[65536];
	const struct kp_log_info *info;
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	char path[640];
	size_t cnt = 0;
	FILE *dump;

	snprintf(path, sizeof(path), "%s.jsonl", folder);
	dump = fopen(path, "re");
	cr_assert_not_null(dump, "%s", path);
	reader = fixture_open(folder, NULL);
	while (fgets(line, sizeof(line), dump)) {
		cr_assert_eq(kp_log_next(reader, &event, NULL), 1, "%s: event %zu", folder, cnt);
		check_line(line, event);
		cnt++;
	}
	cr_assert_eq(kp_log_next(reader, &event, NULL), 0);
	info = kp_log_get_info(reader);
	cr_expect_gt(cnt, 0);
	cr_expect_eq(info->gap_cnt, 0);
	/* Of kinds that were recorded then, and no longer are: two, in six blocks. */
	cr_expect_eq(info->unknown_cnt, 12);
	cr_expect_eq(info->end, KP_LOG_ENDED);
	cr_expect_eq(info->run_cnt, 3);
	cr_expect_eq(info->lost[KP_GROUP_irq], 15);
	cr_expect_str_eq(info->node, "golden");
	kp_log_reader_free(reader);
	fclose(dump);
}

Test(golden, every_log_reads_as_it_did)
{
	const char *golden = KP_SOURCE_DIR "/test/log/golden";
	struct dirent *entry;
	DIR *dir = opendir(golden);
	char path[512];
	unsigned cnt = 0;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strchr(entry->d_name, '.'))
			continue;
		snprintf(path, sizeof(path), "%s/%s", golden, entry->d_name);
		check_log(path);
		cnt++;
	}
	closedir(dir);
	cr_expect_geq(cnt, 1);
}

/* --- tomorrow --- */

/* This program's header text, but with a group before the others, a kind, and a field that
 * sched_migrate has before its others. */
static void tomorrows_text(struct kp_buf *out)
{
	static const char mark[] = "\"name\":\"sched_migrate\",\"tail\":\"NONE\",\"fields\":[";
	struct kp_buf groups = {0}, schema = {0};
	const char *at;

	kp_event_print_groups(&groups);
	kp_event_print_schema(&schema);
	at = strstr(schema.data, mark);
	cr_assert_not_null(at);
	at += strlen(mark);
	kp_buf_printf(out, "{\"run\":\"1\",\"groups\":[\"gravity\",%s,\"schema\":[",
		      groups.data + 1);
	kp_buf_puts(out, "{\"kind\":200,\"name\":\"warp\",\"tail\":\"STR\",\"fields\":[[\"speed\","
			 "\"u64\",\"PARSEC\"],[\"pad\",\"u32\"],[\"data_len\",\"u32\"]]},");
	kp_buf_append(out, schema.data + 1, (size_t)(at - schema.data - 1));
	kp_buf_printf(out, "[\"spin\",\"u64\"],%s}", at);
	kp_buf_done(&groups);
	kp_buf_done(&schema);
}

/* Adds an event of tomorrow's layout to the coded ones and to the raw ones. */
static void put(struct kp_delta *delta, struct kp_buf *raw, const void *event)
{
	kp_delta_put(delta, event);
	kp_buf_append(raw, event, ((const struct kp_hdr *)event)->size);
}

struct warp {
	struct kp_hdr hdr;
	kp_u64 speed;
	kp_u32 pad, data_len;
	char data[8];
};

struct migrate {
	struct kp_hdr hdr;
	kp_u64 spin;
	char rest[sizeof(struct kp_ev_sched_migrate) - sizeof(struct kp_hdr)];
};

/* Thirty events, a third of each; known: what of them today's reader is to see. */
static void put_events(struct kp_delta *delta, struct kp_buf *raw, struct kp_buf *known)
{
	uint64_t rnd = 77;

	for (unsigned i = 0; i < 10; i++) {
		struct warp warp = {{3000 * i + 1, sizeof(warp), 200, 1, 5, 5}, i, 0, 5, "fast"};
		size_t at = known->len;
		struct kp_ev_sched_migrate *is;
		struct kp_ev_lost *lost;
		struct migrate was;

		put(delta, raw, &warp);
		synth_event(known, KP_EV_sched_migrate, 3000 * i + 2, 0, &rnd);
		is = (struct kp_ev_sched_migrate *)(known->data + at);
		was = (struct migrate){.hdr = is->hdr, .spin = rnd};
		was.hdr.size = sizeof(was);
		memcpy(was.rest, &is->hdr + 1, sizeof(was.rest));
		put(delta, raw, &was);
		at = known->len;
		synth_event(known, KP_EV_lost, 3000 * i + 3, 0, &rnd);
		lost = (struct kp_ev_lost *)(known->data + at);
		lost->lost_group = i ? KP_GROUP_tcp + 1 : 0; /* as tomorrow has them */
		put(delta, raw, lost);
		lost->lost_group = i ? KP_GROUP_tcp : KP_GROUP_UNKNOWN;
	}
}

static void check_tomorrow(const struct kp_buf *text, enum kp_codec codec, const void *stored,
			   uint32_t stored_len, uint32_t raw_len, const struct kp_buf *known)
{
	struct kp_block_hdr block = {.codec = (kp_u8)codec,
				     .first_ns = 1,
				     .last_ns = 27003,
				     .event_cnt = 30,
				     .raw_len = raw_len,
				     .stored_len = stored_len};
	const struct kp_log_info *info;
	struct kp_log_reader *reader;
	struct kp_buf back = {0};
	char path[128];
	struct forge f;

	snprintf(path, sizeof(path), "%s/00000001.kpl", fixture_dir);
	cr_assert_eq(forge_begin(&f, open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600),
				 (struct kp_seg_hdr){.sequence = 1}, text->data, text->len),
		     0);
	cr_assert_eq(forge_block(&f, block, stored), 0);
	cr_assert_eq(forge_end(&f), 0);
	reader = fixture_open(path, NULL);
	cr_assert_eq(fixture_read(reader, &back), 20);
	cr_assert_eq(back.len, known->len);
	cr_assert_arr_eq(back.data, known->data, back.len);
	info = kp_log_get_info(reader);
	cr_expect_eq(info->gap_cnt, 0);
	cr_assert_eq(info->unknown_kind_cnt, 1);
	cr_expect_str_eq(info->unknown_kinds[0].name, "warp");
	cr_expect_eq(info->unknown_kinds[0].cnt, 10);
	kp_log_reader_free(reader);
	kp_buf_done(&back);
}

Test(golden, what_tomorrow_adds_disturbs_nothing)
{
	struct kp_buf text = {0}, raw = {0}, known = {0}, coded = {0};
	struct kp_schema *schema;
	struct kp_delta *delta;
	const void *part;
	size_t len;

	tomorrows_text(&text);
	cr_assert_eq(kp_schema_parse(text.data, text.len, &schema, NULL), 0);
	cr_assert_eq(kp_delta_new(true, &delta), 0);
	kp_delta_begin(delta, schema);
	put_events(delta, &raw, &known);
	kp_delta_len(delta);
	for (unsigned i = 0; i < KP_DELTA_PARTS; i++) {
		part = kp_delta_part(delta, i, &len);
		kp_buf_append(&coded, part, len);
	}
	check_tomorrow(&text, KP_CODEC_RAW, raw.data, (uint32_t)raw.len, (uint32_t)raw.len, &known);
	check_tomorrow(&text, KP_CODEC_DELTA, coded.data, (uint32_t)coded.len, (uint32_t)raw.len,
		       &known);
	kp_delta_free(delta);
	kp_schema_free(schema);
	kp_buf_done(&text);
	kp_buf_done(&raw);
	kp_buf_done(&known);
	kp_buf_done(&coded);
}
