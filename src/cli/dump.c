/* SPDX-License-Identifier: MIT
 *
 * kprobe dump: the events of a log, or an account of it. What could not be read goes to stderr.
 *
 * The events printed are those that the filter lets through, but more are read: those that tell
 * the tasks' names, and the payloads that hold the texts of a call's arguments.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/dump.h"
#include "event/names.h"
#include "log/clock.h"

#define DEFAULT_LOG "/var/lib/kprobe"
#define FLUSH_LEN (64u * 1024u)
/* How long after the log's begin its first list of tasks is complete. */
#define FIRST_TASKS_NS 1000000000u

struct request {
	const char *input;
	const char *format;
	const char *time;
	const char *from;
	const char *to;
	bool is_stats;
	bool is_verify;
	uint64_t count; /* 0: all */
	struct dump_filter filter;
};

/* While events are printed. */
struct printer {
	const struct request *request;
	struct kp_clock clock;
	struct kp_names names;
	struct kp_origin origin; /* of the event that is printed */
	struct kp_print how;
	struct dump_result result;
	struct kp_buf out;
};

static bool is_json(const struct request *request)
{
	return *request->format == 'j';
}

/* All events as one JSON value. */
static bool is_array(const struct request *request)
{
	return !strcmp(request->format, "json") && !request->is_stats;
}

/* --- options --- */

static int add_kinds(const char *list, void *target, struct kp_err *err)
{
	struct request *request = target;

	return dump_filter_add_kinds(&request->filter, list, err);
}

static int add_pid(uint32_t pid, void *arg)
{
	struct request *request = arg;

	return KP_VEC_PUSH(&request->filter.pids, pid);
}

static int add_pids(const char *list, void *target, struct kp_err *err)
{
	return kp_parse_u32_list(list, add_pid, target, err);
}

static int add_tid(uint32_t tid, void *arg)
{
	struct request *request = arg;

	return KP_VEC_PUSH(&request->filter.tids, tid);
}

static int add_tids(const char *list, void *target, struct kp_err *err)
{
	return kp_parse_u32_list(list, add_tid, target, err);
}

static int add_comm(const char *glob, void *target, struct kp_err *err)
{
	struct request *request = target;

	if (KP_VEC_PUSH(&request->filter.comms, glob) < 0)
		return kp_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static const char one_log[] = "one log at a time; '%s' is one too many";

static int set_input(const char *value, void *target, struct kp_err *err)
{
	struct request *request = target;

	return request->input ? kp_err_set(err, -EINVAL, one_log, value)
			      : kp_set_text(value, &request->input, err);
}

static const struct kp_option options[] = {
	{'i', "input", "LOG", "the log, where no operand names one (default " DEFAULT_LOG ")",
	 .env = "KPROBE_INPUT", KP_OWN(set_input)},
	{'f', "format", "FORMAT",
	 "a line of text or of JSON per event; json: one array, or for --stats one object",
	 .values = "text|json|jsonl", .env = "KPROBE_FORMAT", KP_TEXT(struct request, format)},
	{'k', "kind", "LIST",
	 "only events of these kinds, groups and system calls, comma-separated (tcp,openat); "
	 "syscall:sync is the call where sync is the group",
	 .repeat = true, KP_OWN(add_kinds)},
	{'p', "pid", "PID,...", "only events of these processes", .repeat = true, KP_OWN(add_pids)},
	{'t', "tid", "TID,...", "only events of these tasks", .repeat = true, KP_OWN(add_tids)},
	{'c', "comm", "GLOB", "only events of tasks with such a name ('nginx*')", .repeat = true,
	 KP_OWN(add_comm)},
	{0, "from", "TIME",
	 "only events from this time on: RFC 3339, seconds since the epoch, or +SECONDS from the "
	 "log's start",
	 KP_MOMENT(struct request, from)},
	{0, "to", "TIME", "only events up to this time", KP_MOMENT(struct request, to)},
	{0, "time", "CLOCK",
	 "how times print: seconds since the log's start (relative), the time of day in UTC "
	 "(wall), or seconds since the boot (monotonic)",
	 .values = "relative|wall|monotonic", .env = "KPROBE_TIME", KP_TEXT(struct request, time)},
	{'n', "count", "N", "stop after this many events", .least = "1", .most = "1000000000000",
	 KP_U64(struct request, count)},
	{0, "stats", NULL, "instead of events, count them, and say what was lost or damaged",
	 KP_FLAG(struct request, is_stats)},
	{0, "verify", NULL,
	 "instead of events, say whether the log is whole: all bytes of all boots in it, the order "
	 "and chain of segments, contents of mapped files, and the accounts of what was lost",
	 KP_FLAG(struct request, is_verify)},
	{0},
};

/* --- the log --- */

/* Turns the times asked for into the log's. */
static int set_times(const struct request *request, const struct kp_log_info *info,
		     const struct kp_clock *clock, struct kp_log_filter *filter, struct kp_err *err)
{
	int r = 0;

	if (request->from)
		r = kp_cli_moment(request->from, info, clock, &filter->from_ns, err);
	if (r >= 0 && request->to)
		r = kp_cli_moment(request->to, info, clock, &filter->to_ns, err);
	/* Before the boot: nothing can be there. 0 would mean no end. */
	if (request->to && !filter->to_ns)
		filter->to_ns = 1;
	if (r >= 0 && request->to && filter->to_ns < filter->from_ns)
		r = kp_err_set(err, -EINVAL, "--to lies before --from");
	return r;
}

/* Adds what the events say; add is kp_names_add or kp_names_seed. */
static int read_names(const struct request *request, const struct kp_log_filter *filter,
		      int (*add)(struct kp_names *names, const struct kp_hdr *event),
		      struct kp_names *names, struct kp_err *err)
{
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	int r = kp_log_open(request->input, filter, &reader, err);

	if (r < 0)
		return r;
	while (r >= 0 && (r = kp_log_next(reader, &event, err)) > 0)
		if (add(names, event) < 0)
			r = kp_err_set(err, -ENOMEM, "out of memory");
	kp_log_reader_free(reader);
	return r;
}

/* The names of tasks, sockets and reasons, and where processes come from, at the begin of what is
 * read: as a list before it has them, and since then. */
static int first_names(const struct request *request, const struct kp_log_reader *reader,
		       uint64_t start_ns, uint64_t from_ns, struct kp_names *names,
		       struct kp_err *err)
{
	uint64_t listed_ns = kp_log_snapshot_from(reader, from_ns);
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_NAMES_LISTED),
				       .to_ns = start_ns + FIRST_TASKS_NS};
	int r = listed_ns ? 0 : read_names(request, &filter, kp_names_seed, names, err);

	filter = (struct kp_log_filter){
		.kinds = KP_NAMES_KINDS, .from_ns = listed_ns, .to_ns = from_ns};
	return r < 0 || !from_ns ? r : read_names(request, &filter, kp_names_add, names, err);
}

/* Whether times are asked for or printed as the wall clock showed them. */
static bool needs_clock(const struct request *request)
{
	return *request->time == 'w' || (request->from && *request->from != '+') ||
	       (request->to && *request->to != '+');
}

/* Opens the log for what is asked for and what is needed besides. */
static int open_log(struct printer *p, struct kp_log_reader **ret_reader, struct kp_err *err)
{
	const struct request *request = p->request;
	bool named = !request->is_stats || request->filter.comms.cnt;
	struct kp_log_filter filter = {.kinds = dump_filter_kinds(&request->filter)};
	struct kp_set names = KP_NAMES_KINDS;
	const struct kp_log_filter nothing = {.from_ns = UINT64_MAX};
	struct kp_log_reader *reader;
	const struct kp_log_info *info;
	int r = kp_log_open(request->input, &nothing, &reader, err);

	if (r < 0)
		return r;
	info = kp_log_get_info(reader);
	p->how.base_ns = *request->time == 'r' ? info->start_time_ns : 0;
	if (needs_clock(request))
		r = kp_clock_read(request->input, &p->clock, err);
	if (r >= 0)
		r = set_times(request, info, &p->clock, &filter, err);
	if (r >= 0 && named)
		r = first_names(request, reader, info->start_time_ns, filter.from_ns, &p->names,
				err);
	kp_log_reader_free(reader);
	if (r < 0)
		return r;
	if (!kp_set_is_empty(&filter.kinds) && named)
		kp_set_join(&filter.kinds, &names);
	if (kp_set_has(&filter.kinds, KP_EV_syscall) && !request->is_stats)
		kp_set_add(&filter.kinds, KP_EV_payload);
	return kp_log_open(request->input, &filter, ret_reader, err);
}

/* --- events --- */

/* Writes out what has gathered. A reader who has seen enough is no error. */
static int flush(struct printer *p, struct kp_err *err)
{
	int r = kp_cli_write(NULL, &p->out, err);

	kp_buf_reset(&p->out);
	p->result.is_pipe_closed = r == -EPIPE;
	return p->result.is_pipe_closed ? 0 : r;
}

static void print_wall(uint64_t time_ns, void *arg, struct kp_buf *out)
{
	const struct printer *p = arg;

	kp_clock_put_wall_ns(kp_clock_to_real(&p->clock, time_ns), out);
}

static void print_event(struct printer *p, const struct kp_hdr *event)
{
	p->origin = kp_names_origin(&p->names, event);
	p->how.origin = &p->origin;
	p->how.texts = event->kind == KP_EV_syscall
			       ? kp_names_texts(&p->names, (const struct kp_ev_syscall *)event)
			       : NULL;
	if (is_array(p->request) && p->result.event_cnt > 1)
		kp_buf_putc(&p->out, ',');
	if (is_json(p->request))
		kp_event_print_json(event, &p->how, &p->out);
	else
		kp_event_print_text(event, &p->how, &p->out);
	kp_buf_putc(&p->out, '\n');
}

/* Names are taken after the event that tells them is printed under the old one. */
static int take_event(struct printer *p, const struct kp_hdr *event, struct kp_err *err)
{
	p->how.comm = kp_names_get(&p->names, event->tid);
	p->how.sock = kp_names_sock(&p->names, event);
	p->how.reason = kp_names_reason(&p->names, event);
	if (dump_filter_fits(&p->request->filter, event, p->how.comm)) {
		p->result.event_cnt++;
		p->result.kind_cnt[event->kind]++;
		if (!p->request->is_stats)
			print_event(p, event);
		if (event->kind == KP_EV_file_object &&
		    kp_object_set_add(&p->result.objects, (const struct kp_ev_file_object *)event) <
			    0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	if (kp_names_add(&p->names, event) < 0)
		return kp_err_set(err, -ENOMEM, "out of memory");
	return p->out.len >= FLUSH_LEN || p->out.failed ? flush(p, err) : 0;
}

static int print_events(struct printer *p, struct kp_log_reader *reader, struct kp_err *err)
{
	uint64_t most = p->request->count ? p->request->count : UINT64_MAX;
	const struct kp_hdr *event;
	int r = 0;

	if (is_array(p->request))
		kp_buf_puts(&p->out, "[");
	while (r >= 0 && !p->result.is_pipe_closed && p->result.event_cnt < most &&
	       (r = kp_log_next(reader, &event, err)) > 0)
		r = take_event(p, event, err);
	if (is_array(p->request))
		kp_buf_puts(&p->out, "]\n");
	return r < 0 || p->result.is_pipe_closed ? r : flush(p, err);
}

/* Nothing fits: of a process that is not there that is an error, else only said. */
static int report_nothing(const struct request *request)
{
	if (request->filter.pids.cnt || request->filter.tids.cnt) {
		kp_cli_say("no event of the process or task that was asked for fits in %s",
			   request->input);
		return KP_EXIT_NOT_FOUND;
	}
	kp_cli_say("note: no event fits in %s", request->input);
	return KP_EXIT_OK;
}

static int dump(struct printer *p, struct kp_err *err)
{
	struct kp_log_reader *reader = NULL;
	int status = KP_EXIT_OK, r = open_log(p, &reader, err);

	if (r >= 0)
		r = print_events(p, reader, err);
	if (r >= 0)
		r = dump_objects_check(p->request->input, p->request->is_stats, &p->result, err);
	if (r >= 0 && p->request->is_stats) {
		(is_json(p->request) ? dump_stats_json : dump_stats_text)(kp_log_get_info(reader),
									  &p->result, &p->out);
		r = flush(p, err);
	}
	if (r < 0)
		kp_cli_error(err);
	if (reader)
		status = dump_report_damage(kp_log_get_info(reader));
	if (r >= 0 && dump_objects_report(p->request->input, &p->result) != KP_EXIT_OK)
		status = KP_EXIT_CORRUPT;
	if (r >= 0 && status == KP_EXIT_OK && !p->result.event_cnt)
		status = report_nothing(p->request);
	kp_log_reader_free(reader);
	if (r < 0)
		return r == -EINVAL ? KP_EXIT_USAGE : kp_cli_status(r);
	return p->result.is_pipe_closed ? KP_EXIT_OK : status;
}

/* Whether only some of the log is asked for. */
static bool is_part(const struct request *request)
{
	const struct dump_filter *f = &request->filter;

	return !kp_set_is_empty(&f->kinds) || f->has_calls || f->pids.cnt || f->tids.cnt ||
	       f->comms.cnt || request->from || request->to || request->count || request->is_stats;
}

static int run(int argc, char **argv)
{
	struct request request = {.format = "text", .time = "relative"};
	struct printer p = {.request = &request};
	struct kp_err err = {""};
	int operands = kp_cli_parse(&kp_command_dump, argc, argv, &request), status;

	if (operands < 0)
		return -operands - 1;
	if (operands > 1) {
		kp_err_set(&err, -EINVAL, one_log, argv[2]);
		return kp_cli_usage(&kp_command_dump, &err);
	}
	if (operands)
		request.input = argv[1];
	if (!request.input)
		request.input = DEFAULT_LOG;
	if (request.is_verify && is_part(&request)) {
		kp_err_set(&err, -EINVAL, "--verify is of the whole log: it takes no filter");
		dump_filter_done(&request.filter);
		return kp_cli_usage(&kp_command_dump, &err);
	}
	if (request.is_verify)
		return dump_verify(request.input, is_json(&request));
	if (!strcmp(request.time, "wall")) {
		p.how.time = print_wall;
		p.how.arg = &p;
	}
	signal(SIGPIPE, SIG_IGN);
	status = dump(&p, &err);
	kp_clock_done(&p.clock);
	kp_names_done(&p.names);
	kp_object_set_done(&p.result.objects);
	kp_buf_done(&p.out);
	dump_filter_done(&request.filter);
	return status;
}

const struct kp_command kp_command_dump = {
	.name = "dump",
	.summary = "print the events of a log",
	.usage = "dump [options] [LOG]\n",
	.options = options,
	.run = run,
};
