/* SPDX-License-Identifier: MIT
 * kprobe analyze: why was it late.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "analyze/format.h"
#include "analyze/incident.h"
#include "cli/commands.h"

/* "|text|json|jsonl" */
static const char format_names[] =
#define FORMAT(name, print, is_json, doc) "|" #name
#include "analyze/formats.def"
#undef FORMAT
	;

static const char format_help[] = "how to print"
#define FORMAT(name, print, is_json, doc) "; " #name ": " doc
#include "analyze/formats.def"
#undef FORMAT
	;

struct args {
	struct kp_incident incident;
	const char *from;
	const char *to;
	const struct kp_format *format;
	const char *output;
	bool list;
};

static int set_input(const char *value, void *target, struct kp_err *err)
{
	struct args *args = target;

	if (args->incident.input)
		return kp_err_set(err, -EINVAL,
				  "only one is allowed: logs of several nodes are not joined yet");
	return kp_set_text(value, &args->incident.input, err);
}

static int set_attribute(const char *value, void *target, struct kp_err *err)
{
	struct args *args = target;

	args->incident.attribute = value;
	return strchr(value, '=') ? 0 : kp_err_set(err, -EINVAL, "'%s' is not KEY=VALUE", value);
}

static int set_format(const char *value, void *target, struct kp_err *err)
{
	struct args *args = target;

	(void)err; /* the option's values are the formats' names */
	args->format = kp_format_find(value);
	return 0;
}

static const struct kp_option options[] = {
	{'i', "input", "DIR", "the log (default /var/lib/kprobe)", .env = "KPROBE_INPUT",
	 KP_OWN(set_input)},
	{0, "traces", "FILE",
	 "traces: OTLP JSON, Tempo's, Jaeger's, or what an SDK's console exporter "
	 "printed; gzip or not",
	 KP_TEXT(struct args, incident.traces)},
	{0, "db", "FILE", "the SQLite database of incidents (default your own)", .env = "KPROBE_DB",
	 KP_TEXT(struct args, incident.db)},
	{0, "trace", "ID", "the incident is a span of this trace",
	 KP_TEXT(struct args, incident.trace)},
	{0, "span", "ID", "the span (default the longest of the trace on this host)",
	 KP_TEXT(struct args, incident.span)},
	{0, "attribute", "KEY=VALUE", "the incident is a span with this attribute",
	 KP_OWN(set_attribute)},
	{0, "pid", "PID", "the incident is a time of this process",
	 KP_U32(struct args, incident.pid)},
	{0, "tid", "TID",
	 "its thread (default the first); with --traces the thread that worked on "
	 "the span",
	 KP_U32(struct args, incident.tid)},
	{0, "from", "TIME",
	 "begin: RFC 3339, seconds since the epoch, or +SECONDS from the log's start",
	 KP_MOMENT(struct args, from)},
	{0, "to", "TIME", "end, likewise", KP_MOMENT(struct args, to)},
	{0, "deadline", "TIME", "a moment that it should have met",
	 KP_TIME(struct args, incident.deadline_realtime_ns)},
	{'f', "format", "FORMAT", format_help, .values = format_names + 1, .env = "KPROBE_FORMAT",
	 KP_OWN(set_format)},
	{'O', "output-file", "FILE", "print into this file", KP_TEXT(struct args, output)},
	{0, "memory", "SIZE",
	 "memory that may be taken (default: by the log's length, see kprobe-log(5))",
	 .least = "1M", .most = "1T", KP_SIZE(struct args, incident.memory_max)},
	{0, "list", NULL, "list the incidents in the database", KP_FLAG(struct args, list)},
	{0},
};

/* Options that contradict each other, or miss one another. */
static int check(const struct args *args, int operands, struct kp_err *err)
{
	const struct kp_incident *what = &args->incident;

	if (args->list)
		return operands ? kp_err_set(err, -EINVAL, "--list takes no incident") : 0;
	if (operands != 1)
		return kp_err_set(err, -EINVAL,
				  "one INCIDENT-ID is needed (any name for a new one), or --list");
	if ((what->trace != NULL) + (what->attribute != NULL) + (what->pid != 0) > 1)
		return kp_err_set(err, -EINVAL, "only one of --trace, --attribute and --pid");
	if ((what->trace || what->attribute) && !what->traces)
		return kp_err_set(err, -EINVAL, "--trace and --attribute need --traces FILE");
	if (what->span && !what->trace)
		return kp_err_set(err, -EINVAL, "--span needs --trace");
	if ((args->from || args->to) && !what->pid)
		return kp_err_set(err, -EINVAL, "--from and --to need --pid");
	if (what->tid && !what->pid && !what->traces)
		return kp_err_set(err, -EINVAL, "--tid needs --pid, or --traces FILE");
	return 0;
}

/* The times on the wall clock. */
static int set_times(struct args *args, struct kp_err *err)
{
	struct kp_incident *what = &args->incident;
	int r = 0;

	if (args->from)
		r = kp_cli_moment_wall(args->from, what->input, &what->from_realtime_ns, err);
	if (r >= 0 && args->to)
		r = kp_cli_moment_wall(args->to, what->input, &what->to_realtime_ns, err);
	return r;
}

/* A process without a begin or an end is all that the log has of it, which is seldom meant. */
static void say_window(const struct args *args, const struct kp_report *report)
{
	const char *what = args->from ? "without --to it ends with the process in the log"
			   : args->to ? "without --from it begins with the process in the log"
				      : "without --from and --to this is the process's whole time "
					"in the log";

	if (args->incident.pid && !(args->from && args->to))
		kp_cli_say("note: %s, %.3f s", what, (double)(report->t1_ns - report->t0_ns) / 1e9);
}

static int make_report(const struct args *args, struct kp_buf *out, struct kp_err *err)
{
	bool color = kp_cli_color(args->output ? NULL : stdout);
	struct kp_report report;
	int code = kp_incident_analyze(&args->incident, &report, err);

	if (code >= 0)
		say_window(args, &report);
	if (code >= 0 && report.note)
		kp_cli_say("note: %s", report.note);
	if (code >= 0)
		args->format->print(&report, color, out);
	kp_report_done(&report);
	return code >= 0 && out->failed ? kp_err_set(err, -ENOMEM, "out of memory") : code;
}

static int run(int argc, char **argv)
{
	struct args args = {.format = kp_formats};
	int operands = kp_cli_parse(&kp_command_analyze, argc, argv, &args), code;
	int status = KP_EXIT_OK;
	struct kp_err err = {""};
	struct kp_buf out = {0};

	if (operands < 0)
		return -operands - 1;
	if (check(&args, operands, &err) < 0)
		return kp_cli_usage(&kp_command_analyze, &err);
	args.incident.id = operands ? argv[1] : NULL;
	if (!args.incident.input && !args.list)
		args.incident.input = "/var/lib/kprobe";
	signal(SIGPIPE, SIG_IGN);
	code = args.list ? kp_incident_list(&args.incident, args.format->is_json, &out, &err)
			 : set_times(&args, &err);
	if (code == 0 && !args.list)
		code = make_report(&args, &out, &err);
	if (code > 0) { /* printed, but not saved */
		kp_cli_error(&err);
		status = KP_EXIT_FAILED;
	}
	if (code >= 0) {
		code = kp_cli_write(args.output, &out, &err);
		if (code < 0 && code != -EPIPE)
			kp_cli_error(&err);
		kp_buf_done(&out);
		return code < 0 && code != -EPIPE ? KP_EXIT_FAILED : status;
	}
	kp_buf_done(&out);
	kp_cli_error(&err);
	return code == -EINVAL ? KP_EXIT_USAGE : kp_cli_status(code);
}

const struct kp_command kp_command_analyze = {
	.name = "analyze",
	.summary = "say why a request, or a process in a time, took so long",
	.usage = "analyze [options] INCIDENT-ID\n"
		 "analyze [options] --list\n",
	.limits = "One host's log: a second --input is refused. Traces in protobuf and Zipkin's "
		  "JSON, the formats html, dot and perfetto, --neo4j and --bundle are not "
		  "there. A container's pid is not translated: --tid names the thread.",
	.options = options,
	.run = run,
};
