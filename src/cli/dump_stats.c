/* SPDX-License-Identifier: MIT
 * The account of a log instead of its events, and what could not be read.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/dump.h"

/* A line of a stranger's text. */
static void put_word(const char *name, const char *value, struct kp_buf *out)
{
	kp_buf_printf(out, "%s ", name);
	kp_text_puts(out, value);
	kp_buf_putc(out, '\n');
}

static void put_run(const struct kp_log_run *run, struct kp_buf *out)
{
	put_word("run", run->id, out);
	if (run->is_masked)
		put_word("masked", run->id, out);
}

void dump_stats_text(const struct kp_log_info *info, const struct dump_result *result,
		     struct kp_buf *out)
{
	put_word("node", info->node, out);
	put_word("machine", info->machine_id, out);
	put_word("boot", info->boot_id, out);
	for (size_t i = 0; i < info->run_cnt; i++)
		put_run(&info->runs[i], out);
	kp_buf_printf(out,
		      "segments %zu\nabsent_segments %" PRIu64 "\nblocks %zu\nbytes %" PRIu64
		      "\nevents %" PRIu64 "\nseconds %.3f\n",
		      info->segment_cnt, info->absent_cnt, info->block_cnt, info->len,
		      info->event_cnt, (double)(info->last_ns - info->first_ns) / 1e9);
	for (unsigned kind = 0; kind < KP_EV_END; kind++)
		if (result->kind_cnt[kind])
			kp_buf_printf(out, "events.%s %" PRIu64 "\n", kp_event_get(kind)->name,
				      result->kind_cnt[kind]);
	for (unsigned group = 0; group < KP_GROUP_CNT; group++)
		if (info->lost[group])
			kp_buf_printf(out, "lost.%s %" PRIu64 "\n", kp_group_name(group),
				      info->lost[group]);
	kp_buf_printf(out, "gaps %zu\nend ", info->gap_cnt);
	kp_text_puts(out, info->end_text);
	kp_buf_putc(out, '\n');
	if (result->objects.all.cnt)
		kp_buf_printf(out, "objects %" PRIu64 "\nobject_bytes %" PRIu64 "\n",
			      result->object_cnt, result->objects_len);
	if (info->doubtful_cnt)
		kp_buf_printf(out, "doubtful %" PRIu64 "\n", info->doubtful_cnt);
}

void dump_stats_json(const struct kp_log_info *info, const struct dump_result *result,
		     struct kp_buf *out)
{
	const char *sep = "";

	kp_buf_puts(out, "{\"node\":");
	kp_buf_json(out, info->node, strlen(info->node));
	kp_buf_puts(out, ",\"machine\":");
	kp_buf_json(out, info->machine_id, strlen(info->machine_id));
	kp_buf_puts(out, ",\"boot\":");
	kp_buf_json(out, info->boot_id, strlen(info->boot_id));
	for (size_t i = 0; i < info->run_cnt; i++) {
		kp_buf_puts(out, i ? "," : ",\"runs\":[");
		kp_buf_json(out, info->runs[i].id, strlen(info->runs[i].id));
	}
	kp_buf_puts(out, "],\"masked_runs\":[");
	for (size_t i = 0; i < info->run_cnt; i++) {
		if (!info->runs[i].is_masked)
			continue;
		kp_buf_puts(out, sep);
		kp_buf_json(out, info->runs[i].id, strlen(info->runs[i].id));
		sep = ",";
	}
	sep = "";
	kp_buf_printf(out,
		      "],\"segments\":%zu,\"absent_segments\":%" PRIu64
		      ",\"blocks\":%zu,\"bytes\":%" PRIu64 ",\"events\":%" PRIu64
		      ",\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64 ",\"kinds\":{",
		      info->segment_cnt, info->absent_cnt, info->block_cnt, info->len,
		      info->event_cnt, info->first_ns, info->last_ns);
	for (unsigned kind = 0; kind < KP_EV_END; kind++)
		if (result->kind_cnt[kind]) {
			kp_buf_printf(out, "%s\"%s\":%" PRIu64, sep, kp_event_get(kind)->name,
				      result->kind_cnt[kind]);
			sep = ",";
		}
	kp_buf_puts(out, "},\"lost\":{");
	for (unsigned group = 0; group < KP_GROUP_CNT; group++)
		kp_buf_printf(out, "%s\"%s\":%" PRIu64, group ? "," : "", kp_group_name(group),
			      info->lost[group]);
	kp_buf_printf(out, "},\"gaps\":%zu,\"ended\":%s,\"end\":", info->gap_cnt,
		      info->end == KP_LOG_ENDED ? "true"
		      : info->end == KP_LOG_CUT ? "false"
						: "null");
	kp_buf_json(out, info->end_text, strlen(info->end_text));
	kp_buf_printf(out, ",\"doubtful\":%" PRIu64, info->doubtful_cnt);
	kp_buf_printf(out, ",\"objects\":%" PRIu64 ",\"object_bytes\":%" PRIu64 "}\n",
		      result->object_cnt, result->objects_len);
}

/* "warning: events were left out whose kinds this version does not know: hyperspace (40)" */
static void say_unknown(const char *what, const struct kp_log_unknown *unknown, size_t cnt)
{
	struct kp_buf names = {0};

	for (size_t i = 0; i < cnt; i++) {
		kp_buf_puts(&names, i ? ", " : "");
		kp_text_puts(&names, unknown[i].name);
		kp_buf_printf(&names, " (%" PRIu64 ")", unknown[i].cnt);
	}
	if (cnt)
		kp_cli_say("warning: %s this version does not know: %s", what,
			   names.failed ? "…" : names.data);
	kp_buf_done(&names);
}

int dump_report_damage(const struct kp_log_info *info)
{
	int status = KP_EXIT_OK;
	bool is_harmless;

	for (size_t i = 0; i < info->gap_cnt; i++) {
		const struct kp_log_gap *gap = &info->gaps[i];
		struct kp_buf text = {0};

		kp_log_print_gap(gap, &text);
		is_harmless = gap->torn || gap->gone;
		kp_cli_say("%s: %s", is_harmless ? "warning" : "damage",
			   text.failed ? gap->why : text.data);
		kp_buf_done(&text);
		if (!is_harmless)
			status = KP_EXIT_CORRUPT;
	}
	if (info->absent_cnt)
		kp_cli_say(
			"note: segments of this boot that are not there any more: %" PRIu64
			", as after retention ('kprobe dump --verify' tells whether it was that)",
			info->absent_cnt);
	say_unknown("events were left out whose kinds", info->unknown_kinds,
		    info->unknown_kind_cnt);
	say_unknown("events were lost whose groups", info->unknown_lost, info->unknown_lost_cnt);
	return status;
}
