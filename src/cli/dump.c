/* SPDX-License-Identifier: MIT
 * kprobe dump: the events of a log, or an account of it. What could not be read goes to stderr.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "event/event.h"
#include "log/clock.h"
#include "log/reader.h"

#define DEFAULT_LOG "/var/lib/kprobe"
#define FLUSH_LEN (64u * 1024u)
#define ID_MAX 64

struct id_set {
	uint32_t ids[ID_MAX];
	size_t cnt;
};

struct request {
	const char *input;
	const char *format;
	bool is_stats;
	uint64_t kinds;
	struct id_set pids;
	struct id_set tids;
	const char *from;
	const char *to;
	uint64_t count; /* 0: all */
};

static bool is_json(const struct request *request)
{
	return request->format && *request->format == 'j';
}

/* What came of it. */
struct result {
	uint64_t event_cnt;
	uint64_t kind_cnt[KP_EV_END];
	bool is_pipe_closed;
};

static int add_id(const char *text, void *target, struct kp_err *err)
{
	struct id_set *set = target;

	if (set->cnt == ID_MAX)
		return kp_err_set(err, -EINVAL, "more than %d are given", ID_MAX);
	return kp_parse_u32(text, &set->ids[set->cnt++], err);
}

static bool has_id(const struct id_set *set, uint32_t id)
{
	for (size_t i = 0; i < set->cnt; i++)
		if (set->ids[i] == id)
			return true;
	return !set->cnt;
}

/* Adds the kind, or all kinds of the group, to the bits. */
static int add_kind(const char *name, uint64_t *kinds, struct kp_err *err)
{
	const struct kp_event_desc *desc = kp_event_find(name);
	int group = kp_group_find(name);

	if (!desc && group < 0)
		return kp_err_set(err, -EINVAL,
				  "'%s' is neither a kind nor a group of events; kprobe-events(7) "
				  "lists them",
				  name);
	if (desc)
		*kinds |= 1ull << desc->kind;
	for (unsigned kind = 0; group >= 0 && kind < KP_EV_END; kind++) {
		desc = kp_event_get(kind);
		if (desc && desc->group == group)
			*kinds |= 1ull << kind;
	}
	return 0;
}

static int add_kinds(const char *list, void *target, struct kp_err *err)
{
	struct request *request = target;
	char *copy = strdup(list), *rest = NULL, *name;
	int r = copy ? 0 : kp_err_set(err, -ENOMEM, "out of memory");

	for (name = copy; r >= 0 && (name = strtok_r(name, ",", &rest)); name = NULL)
		r = add_kind(name, &request->kinds, err);
	free(copy);
	return r;
}

/* +SECONDS or a moment; only its form is checked when info is NULL. */
static int parse_moment(const char *text, const struct kp_log_info *info,
			const struct kp_clock *clock, uint64_t *ret_ns, struct kp_err *err)
{
	uint64_t ns;
	int r = kp_parse_time(*text == '+' ? text + 1 : text, &ns, err);

	if (r < 0 || !info)
		return r;
	*ret_ns = *text == '+' ? info->start_time_ns + ns : kp_clock_to_mono(clock, ns);
	return 0;
}

static int set_moment(const char *text, void *target, struct kp_err *err)
{
	*(const char **)target = text;
	return parse_moment(text, NULL, NULL, NULL, err);
}

static const struct kp_option options[] = {
	{'i', "input", "LOG", "the log, as the operand (default " DEFAULT_LOG ")",
	 .env = "KPROBE_INPUT", KP_TEXT(struct request, input)},
	{'f', "format", "FORMAT", "a line of text or of JSON per event", .values = "text|jsonl",
	 .env = "KPROBE_FORMAT", KP_TEXT(struct request, format)},
	{'k', "kind", "LIST", "only events of these kinds or groups, comma-separated",
	 .repeat = true, KP_OWN(add_kinds)},
	{'p', "pid", "PID", "only events of this process", .repeat = true, .set = add_id,
	 .at = KP_AT(struct request, pids, struct id_set)},
	{'t', "tid", "TID", "only events of this task", .repeat = true, .set = add_id,
	 .at = KP_AT(struct request, tids, struct id_set)},
	{0, "from", "TIME",
	 "only events from this time on: RFC 3339, seconds since the epoch, or +SECONDS from the "
	 "log's start",
	 .set = set_moment, .at = KP_AT(struct request, from, const char *)},
	{0, "to", "TIME", "only events up to this time", .set = set_moment,
	 .at = KP_AT(struct request, to, const char *)},
	{'n', "count", "N", "stop after this many events", .least = "1", .most = "1000000000000",
	 KP_U64(struct request, count)},
	{0, "stats", NULL, "instead of events, count them, and say what was lost or damaged",
	 KP_FLAG(struct request, is_stats)},
	{0},
};

/* Writes out what has gathered. A reader who has seen enough is no error. */
static int flush(struct kp_buf *out, struct result *result, struct kp_err *err)
{
	int r = kp_cli_write(NULL, out, err);

	kp_buf_reset(out);
	result->is_pipe_closed = r == -EPIPE;
	return result->is_pipe_closed ? 0 : r;
}

static int print_events(struct kp_log_reader *reader, const struct request *request,
			struct result *result, struct kp_err *err)
{
	uint64_t base_ns = kp_log_get_info(reader)->start_time_ns;
	const struct kp_hdr *event;
	struct kp_buf out = {0};
	int r = 0;

	while (!result->is_pipe_closed && (!request->count || result->event_cnt < request->count) &&
	       (r = kp_log_next(reader, &event, err)) > 0) {
		if (!has_id(&request->pids, event->pid) || !has_id(&request->tids, event->tid))
			continue;
		result->event_cnt++;
		result->kind_cnt[event->kind]++;
		if (request->is_stats)
			continue;
		if (is_json(request))
			kp_event_print_json(event, &out);
		else
			kp_event_print_text(event, base_ns, &out);
		kp_buf_putc(&out, '\n');
		if (out.len >= FLUSH_LEN || out.failed)
			r = flush(&out, result, err);
		if (r < 0)
			break;
	}
	if (r >= 0 && !result->is_pipe_closed)
		r = flush(&out, result, err);
	kp_buf_done(&out);
	return r;
}

static void print_stats_text(const struct kp_log_info *info, const struct result *result,
			     struct kp_buf *out)
{
	kp_buf_puts(out, "node ");
	kp_text_puts(out, info->node);
	kp_buf_puts(out, "\nboot ");
	kp_text_puts(out, info->boot_id);
	kp_buf_printf(out,
		      "\nsegments %zu\nblocks %zu\nbytes %" PRIu64 "\nevents %" PRIu64
		      "\nseconds %.3f\n",
		      info->segment_cnt, info->block_cnt, info->len, info->event_cnt,
		      (double)(info->last_ns - info->first_ns) / 1e9);
	for (unsigned kind = 0; kind < KP_EV_END; kind++)
		if (result->kind_cnt[kind])
			kp_buf_printf(out, "events.%s %" PRIu64 "\n", kp_event_get(kind)->name,
				      result->kind_cnt[kind]);
	for (unsigned group = 0; group < KP_GROUP_CNT; group++)
		if (info->lost[group])
			kp_buf_printf(out, "lost.%s %" PRIu64 "\n", kp_group_name(group),
				      info->lost[group]);
	kp_buf_printf(out, "gaps %zu\nend %s\n", info->gap_cnt, info->end_text);
	if (info->doubtful_cnt)
		kp_buf_printf(out, "doubtful %" PRIu64 "\n", info->doubtful_cnt);
}

static void print_stats_json(const struct kp_log_info *info, const struct result *result,
			     struct kp_buf *out)
{
	const char *sep = "";

	kp_buf_puts(out, "{\"node\":");
	kp_buf_json(out, info->node, strlen(info->node));
	kp_buf_puts(out, ",\"boot\":");
	kp_buf_json(out, info->boot_id, strlen(info->boot_id));
	kp_buf_printf(out,
		      ",\"segments\":%zu,\"blocks\":%zu,\"bytes\":%" PRIu64 ",\"events\":%" PRIu64
		      ",\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64 ",\"kinds\":{",
		      info->segment_cnt, info->block_cnt, info->len, info->event_cnt,
		      info->first_ns, info->last_ns);
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
	kp_buf_printf(out, ",\"doubtful\":%" PRIu64 "}\n", info->doubtful_cnt);
}

/* Says what could not be read; KP_EXIT_CORRUPT unless it is only a torn end. */
static int report_damage(const struct kp_log_info *info)
{
	int status = KP_EXIT_OK;

	for (size_t i = 0; i < info->gap_cnt; i++) {
		const struct kp_log_gap *gap = &info->gaps[i];
		struct kp_buf text = {0};

		kp_log_print_gap(gap, &text);
		kp_cli_say("%s: %s", gap->torn ? "warning" : "damage",
			   text.failed ? gap->why : text.data);
		kp_buf_done(&text);
		if (!gap->torn)
			status = KP_EXIT_CORRUPT;
	}
	if (info->unknown_cnt)
		kp_cli_say("warning: %" PRIu64 " events of kinds that this version does not know "
			   "were left out",
			   info->unknown_cnt);
	return status;
}

/* Turns the times asked for into the log's. */
static int set_times(const struct request *request, const struct kp_log_info *info,
		     struct kp_log_filter *filter, struct kp_err *err)
{
	struct kp_clock clock = {0};
	int r = kp_clock_read(request->input, &clock, err);

	if (r >= 0 && request->from)
		r = parse_moment(request->from, info, &clock, &filter->from_ns, err);
	if (r >= 0 && request->to)
		r = parse_moment(request->to, info, &clock, &filter->to_ns, err);
	/* Before the boot: nothing can be there. 0 would mean no end. */
	if (request->to && !filter->to_ns)
		filter->to_ns = 1;
	kp_clock_done(&clock);
	return r;
}

/* Opens the log; a second time if times relative to it are asked for. */
static int open_log(const struct request *request, struct kp_log_reader **ret_reader,
		    struct kp_err *err)
{
	struct kp_log_filter filter = {.kinds = request->kinds};
	struct kp_log_reader *reader;
	int r = kp_log_open(request->input, &filter, &reader, err);

	if (r < 0)
		return r;
	if (request->from || request->to) {
		r = set_times(request, kp_log_get_info(reader), &filter, err);
		kp_log_reader_free(reader);
		if (r >= 0)
			r = kp_log_open(request->input, &filter, &reader, err);
		if (r < 0)
			return r;
	}
	*ret_reader = reader;
	return 0;
}

static int run(int argc, char **argv)
{
	struct request request = {.input = NULL};
	struct result result = {0};
	struct kp_log_reader *reader = NULL;
	struct kp_buf out = {0};
	struct kp_err err = {""};
	int operands = kp_cli_parse(&kp_command_dump, argc, argv, &request), status, r;

	if (operands < 0)
		return -operands - 1;
	if (operands > 1) {
		kp_err_set(&err, -EINVAL, "more than one log is given: %s", argv[2]);
		kp_cli_error(&err);
		return KP_EXIT_USAGE;
	}
	if (operands)
		request.input = argv[1];
	if (!request.input)
		request.input = DEFAULT_LOG;
	signal(SIGPIPE, SIG_IGN);
	r = open_log(&request, &reader, &err);
	if (r >= 0)
		r = print_events(reader, &request, &result, &err);
	if (r >= 0 && request.is_stats) {
		(is_json(&request) ? print_stats_json : print_stats_text)(kp_log_get_info(reader),
									  &result, &out);
		r = flush(&out, &result, &err);
	}
	if (r < 0)
		kp_cli_error(&err);
	status = reader ? report_damage(kp_log_get_info(reader)) : KP_EXIT_OK;
	kp_buf_done(&out);
	kp_log_reader_free(reader);
	return r < 0 ? kp_cli_status(r) : result.is_pipe_closed ? KP_EXIT_OK : status;
}

const struct kp_command kp_command_dump = {
	.name = "dump",
	.summary = "print the events of a log",
	.usage = "dump [options] [LOG]\n",
	.options = options,
	.run = run,
};
