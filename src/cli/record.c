/* SPDX-License-Identifier: MIT
 * kprobe record: the options, and what is said on the terminal while and after recording.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/card.h"
#include "cli/commands.h"
#include "event/event.h"
#include "record/budget.h"
#include "record/check.h"
#include "record/pins.h"
#include "record/probes.h"
#include "record/recorder.h"

#define DEFAULT_LOG "/var/lib/kprobe"
#define DEFAULT_RING_LEN (8u << 20)
#define DEFAULT_SYNC_NS 1000000000u
#define DEFAULT_IRQ_NS 50000u
#define DEFAULT_SEGMENT_LEN (64u << 20)
#define DEFAULT_PIN_QUOTA (1u << 30)
#define NO_PIN_QUOTA UINT64_MAX /* none was given */
#define SEGMENTS_MIN 16 /* of a log that has a limit, unless --segment-size says otherwise */
#define DEFAULT_WORK_NS 50000u
#define PID_MAX 256
#define WANTED_MAX 256
#define DEFAULT_BUDGET (KP_BUDGET_WHOLE / 100)
struct request {
	struct kp_recorder_options recorder;
	pid_t pids[PID_MAX];
	struct kp_wanted wanted[WANTED_MAX];
	const char *events; /* as given */
	bool has_budget;    /* given */
	bool is_stats;
	bool is_strict;
	bool is_check;
	bool is_unpin;
	struct kp_totals last; /* at the last line of --stats */
};

static int add_pid(uint32_t pid, void *arg)
{
	struct request *request = arg;

	if (!pid)
		return -ESRCH;
	if (request->recorder.pid_cnt == PID_MAX)
		return -E2BIG;
	request->pids[request->recorder.pid_cnt++] = (pid_t)pid;
	return 0;
}

static int add_pids(const char *list, void *target, struct kp_err *err)
{
	return kp_parse_u32_list(list, add_pid, target, err);
}

static int add_wanted(void *target, enum kp_wanted_by by, const char *text, struct kp_err *err)
{
	struct request *request = target;
	const struct kp_wanted wanted = {by, text};

	if (request->recorder.wanted_cnt == WANTED_MAX)
		return kp_err_set(err, -E2BIG, "at most %d of --comm, --cgroup and --pod",
				  WANTED_MAX);
	request->wanted[request->recorder.wanted_cnt++] = wanted;
	return kp_wanted_check(&wanted, err);
}

static int add_comm(const char *glob, void *target, struct kp_err *err)
{
	return add_wanted(target, KP_WANTED_COMM, glob, err);
}

static int add_cgroup(const char *path, void *target, struct kp_err *err)
{
	return add_wanted(target, KP_WANTED_CGROUP, path, err);
}

static int add_pod(const char *name, void *target, struct kp_err *err)
{
	return add_wanted(target, KP_WANTED_POD, name, err);
}

static int unknown_group(const char *name, struct kp_err *err)
{
	struct kp_nearest nearest;

	kp_nearest_init(&nearest, name, strlen(name));
	for (unsigned g = 0; g < KP_GROUP_CNT; g++)
		kp_nearest_try(&nearest, kp_group_name(g));
	if (nearest.best)
		return kp_err_set(err, -EINVAL, "'%s' is not a group of events; did you mean '%s'?",
				  name, nearest.best);
	return kp_err_set(err, -EINVAL,
			  "'%s' is not a group of events; 'kprobe record --help' lists them", name);
}

static int parse_groups(const char *list, uint32_t *ret_groups, struct kp_err *err)
{
	bool is_negative = *list == '!';
	char *copy = strdup(list + is_negative), *rest = NULL, *word;
	uint32_t bits = 0;
	int group = copy ? 0 : kp_err_set(err, -ENOMEM, "out of memory");

	for (word = copy; group >= 0 && (word = strtok_r(word, ",", &rest)); word = NULL) {
		group = kp_group_find(word);
		if (group < 0)
			group = unknown_group(word, err);
		else
			bits |= 1u << group;
	}
	free(copy);
	if (group >= 0 && !bits)
		group = kp_err_set(err, -EINVAL, "no group is given");
	if (group < 0)
		return group;
	if (!(bits & ~KP_GROUPS_ASKED) && !is_negative) /* to the others */
		bits |= KP_GROUPS_DEFAULT;
	*ret_groups = (is_negative ? KP_GROUPS_DEFAULT & ~bits : bits) | KP_GROUPS_ALWAYS;
	return 0;
}

static int set_groups(const char *list, void *target, struct kp_err *err)
{
	struct request *request = target;

	request->events = list;
	return parse_groups(list, &request->recorder.groups, err);
}

/* A percentage with up to three digits behind the point. */
static int set_budget(const char *text, void *target, struct kp_err *err)
{
	struct request *request = target;
	char *end;
	double percent = strtod(text, &end);

	if (!strchr("0123456789.", *text) || !*text || (*end && strcmp(end, "%") != 0) ||
	    !(percent >= 0 && percent <= 100) || (percent > 0 && percent < 0.001))
		return kp_err_set(err, -EINVAL,
				  "'%s' is no percentage between 0.001 and 100, nor 0", text);
	request->recorder.budget = (uint32_t)(percent * KP_BUDGET_WHOLE / 100 + 0.5);
	request->has_budget = true;
	return 0;
}

/* A size, or a percentage of the disk. */
static int set_min_free(const char *text, void *target, struct kp_err *err)
{
	struct request *request = target;
	struct kp_retain_limits *limits = &request->recorder.retain;
	size_t digits = strspn(text, "0123456789");

	limits->free_len = limits->free_percent = 0;
	if (strcmp(text + digits, "%") != 0)
		return kp_set_size(text, &limits->free_len, err);
	if (!digits || digits > 2)
		return kp_err_set(err, -EINVAL, "'%s' is no percentage below 100", text);
	limits->free_percent = (uint32_t)atoi(text);
	return 0;
}

/* What follows from the limits, and what contradicts them. */
static int settle_limits(struct request *request, struct kp_err *err)
{
	struct kp_recorder_options *o = &request->recorder;
	uint64_t len = o->retain.len;

	if (o->retain.pin_len == NO_PIN_QUOTA)
		o->retain.pin_len = len ? len / 4 : DEFAULT_PIN_QUOTA;
	if (!len)
		return 0;
	if (!o->segment_len && len / SEGMENTS_MIN < DEFAULT_SEGMENT_LEN)
		o->segment_len = len / SEGMENTS_MIN;
	if (o->segment_len > len / 4)
		return kp_err_set(
			err, -EINVAL,
			"--max-size must be at least four times --segment-size, since only "
			"whole segments go");
	if (o->retain.pin_len > len / 2)
		return kp_err_set(err, -EINVAL,
				  "--pin-quota must be at most half of --max-size, or what is new "
				  "would have no room");
	return 0;
}

/* Names of the groups that are recorded by default, and of those that are not, a comma behind each.
 */
#define IF_DEFAULT_DEFAULT(name) #name ", "
#define IF_DEFAULT_ASKED(name)
#define IF_DEFAULT_ALWAYS(name)
#define IF_ASKED_DEFAULT(name)
#define IF_ASKED_ASKED(name) #name ", "
#define IF_ASKED_ALWAYS(name)
#define BY_DEFAULT(name, number, shared, when) IF_DEFAULT_##when(name)
#define IF_ASKED(name, number, shared, when) IF_ASKED_##when(name)

static const struct kp_option options[] = {
	{'o', "output", "DIR", "the log's folder (default " DEFAULT_LOG ")", .env = "KPROBE_OUTPUT",
	 KP_TEXT(struct request, recorder.dir)},
	{'p', "pid", "PID,...",
	 "record these processes and their descendants with the bytes of their calls",
	 .repeat = true, KP_OWN(add_pids)},
	{0, "comm", "GLOB",
	 "the same for processes of which a task has such a name ('nginx*'), now or later",
	 .repeat = true, KP_OWN(add_comm)},
	{0, "cgroup", "PATH",
	 "the same for what runs in this control group or below it, now or later; the path is as "
	 "/proc/PID/cgroup has it",
	 .repeat = true, KP_OWN(add_cgroup)},
	{0, "pod", "NAMESPACE/POD", "the same for what runs in this pod, now or later",
	 .repeat = true, KP_OWN(add_pod)},
	{0, "pod-logs", "DIR",
	 "folder of the logs of pods and containers, whose names say which there are "
	 "(default " KP_POD_LOGS ")",
	 .env = "KPROBE_POD_LOGS", KP_TEXT(struct request, recorder.pod_logs)},
	{'e', "events", "LIST",
	 "only these groups of events, or, after '!', all but these: " KP_GROUPS(
		 BY_DEFAULT) "and, not recorded by default, " KP_GROUPS(IF_ASKED) "which, given "
										  "without others, "
										  "are added to "
										  "those that are: "
										  "a record for "
										  "each system "
										  "call, not only "
										  "word of those "
										  "in which a task "
										  "waits or wakes "
										  "another, and "
										  "one for each IP "
										  "packet that "
										  "goes to a "
										  "device or comes "
										  "from one",
	 .env = "KPROBE_EVENTS", KP_OWN(set_groups)},
	{0, "segment-size", "SIZE", "begin a new file of the log after this much (default 64M)",
	 .least = "64K", .most = "1T", .env = "KPROBE_SEGMENT_SIZE",
	 KP_SIZE(struct request, recorder.segment_len)},
	{'C', "max-size", "SIZE",
	 "keep all segments of the log together below this: the oldest go first, of former "
	 "recordings into the folder too, but for those that a saved incident needs (default: no "
	 "limit)",
	 .least = "1M", .most = "1024T", .env = "KPROBE_MAX_SIZE",
	 KP_SIZE(struct request, recorder.retain.len)},
	{'G', "max-age", "TIME", "likewise, let segments go this long after their last event",
	 .least = "1s", .most = "36500d", .env = "KPROBE_MAX_AGE",
	 KP_DURATION(struct request, recorder.retain.age_ns)},
	{0, "min-free", "SIZE|PERCENT%",
	 "likewise, as long as less than this of the log's disk is free; when nothing is left to "
	 "go, nothing is written",
	 .env = "KPROBE_MIN_FREE", KP_OWN(set_min_free)},
	{0, "pin-quota", "SIZE",
	 "keep at most so much for saved incidents, those saved last first (default a quarter of "
	 "-C, or 1G)",
	 .least = "0", .most = "1024T", .env = "KPROBE_PIN_QUOTA",
	 KP_SIZE(struct request, recorder.retain.pin_len)},
	{0, "sync", "TIME",
	 "bring the log to disk this often (default 1s; 0: leave it to the kernel)", .least = "0",
	 .most = "1h", .env = "KPROBE_SYNC", KP_DURATION(struct request, recorder.sync_ns)},
	{0, "ring", "SIZE",
	 "buffer of each CPU in the kernel (default 8M; where many CPUs' are too much for the "
	 "memory, "
	 "they are smaller or shared; for what replay needs up to four times that, and one that "
	 "all "
	 "CPUs share; for processes that come and go always 256K)",
	 .least = "64K", .most = "1G", .env = "KPROBE_RING",
	 KP_SIZE(struct request, recorder.ring_len)},
	{0, "memory", "SIZE",
	 "most memory that it takes, buffers in the kernel and all that waits to be written "
	 "included; "
	 "what finds no room is counted as lost (default 200M; 640M with a command or processes "
	 "recorded for replay)",
	 .least = "64M", .most = "1T", .env = "KPROBE_MEMORY",
	 KP_SIZE(struct request, recorder.memory)},
	{0, "irq-threshold", "TIME",
	 "interrupts shorter than this are only summed up (default 50us)", .least = "0",
	 .most = "1s", .env = "KPROBE_IRQ_THRESHOLD",
	 KP_DURATION(struct request, recorder.irq_threshold_ns)},
	{0, "work-threshold", "TIME",
	 "of work items of the kernel, requests of io_uring and waits for the kernel's locks only "
	 "those that took this long get events (default 50us; 0: all)",
	 .least = "0", .most = "1h", .env = "KPROBE_WORK_THRESHOLD",
	 KP_DURATION(struct request, recorder.work_threshold_ns)},
	{0, "budget", "PERCENT",
	 "of all CPUs' time the recorder itself may take this much; over it for ten seconds, it "
	 "records less of the whole machine, a step at a time, and more again later (default 1; 0, "
	 "and the default with -e, -p, --comm, --cgroup, --pod or a command: no limit)",
	 .env = "KPROBE_BUDGET", KP_OWN(set_budget)},
	{0, "pin", "PATH",
	 "leave the programs and rings here, on a BPF file system, when the recorder is killed, so "
	 "that the next one with the same options and log goes on without a gap "
	 "(default " KP_PINS_PATH "; none: leave nothing; nor with a command or processes recorded "
	 "for replay)",
	 .env = "KPROBE_PIN", KP_TEXT(struct request, recorder.pins)},
	{0, "unpin", NULL, "record nothing; remove what a killed recorder has left in the kernel",
	 KP_FLAG(struct request, is_unpin)},
	{0, "mask", NULL,
	 "mask card numbers also in what is recorded for replay, which is then not exact (see "
	 "CARD NUMBERS)",
	 .env = "KPROBE_MASK", KP_FLAG(struct request, recorder.is_masked)},
	{0, "node", "NAME", "name of this machine in the log (default: its host name)",
	 .env = "KPROBE_NODE", KP_TEXT(struct request, recorder.node)},
	{0, "duration", "TIME", "end after this time", .least = "1ms", .most = "3650d",
	 KP_DURATION(struct request, recorder.duration_ns)},
	{0, "stats", NULL, "each second, say on stderr what is recorded",
	 KP_FLAG(struct request, is_stats)},
	{0, "strict", NULL, "exit with status 6 if events were lost",
	 KP_FLAG(struct request, is_strict)},
	{0, "check", NULL,
	 "record nothing; say what this machine allows, and how to allow the rest",
	 KP_FLAG(struct request, is_check)},
	{0},
};

/* --- what is said --- */

static void print_check(const char *what, enum kp_check_state state, const char *remedy, void *arg)
{
	static const char *const states[] = {"ok", "missing", "FAILED"};

	kp_buf_printf(arg, "%-8s%s%s%s\n", states[state], what, *remedy ? ": " : "", remedy);
}

/* While it records, a reader of stderr that reads no more (a pager, a terminal that was stopped)
 * must not stop it: what that would not take is not said. */
static bool stderr_takes(void)
{
	struct pollfd poll_fd = {STDERR_FILENO, POLLOUT, 0};

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLOUT;
}

static void print_warning(const char *text, void *arg)
{
	(void)arg;
	if (stderr_takes())
		kp_cli_say("warning: %s", text);
}

static void print_notice(const char *text, void *arg)
{
	(void)arg;
	if (stderr_takes())
		kp_cli_say("%s", text);
}

static void print_second(const struct kp_totals *totals, void *arg)
{
	struct request *request = arg;
	uint64_t stored, lost, lost_now = 0;
	struct kp_buf line = {0};

	if (!request->is_stats)
		return;
	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		stored = totals->stored[g] - request->last.stored[g];
		lost = totals->lost[g] - request->last.lost[g];
		lost_now += lost;
		if (stored)
			kp_buf_printf(&line, "%s %" PRIu64 "/s ", kp_group_name(g), stored);
	}
	if (stderr_takes())
		kp_cli_say("%slost %" PRIu64 "/s log %.1f KiB/s", line.len ? line.data : "",
			   lost_now, (double)(totals->log_len - request->last.log_len) / 1024);
	kp_buf_done(&line);
	request->last = *totals;
}

/* Stored and lost per class; returns how many were lost. */
static uint64_t print_totals(const struct kp_totals *totals, const char *dir)
{
	uint64_t stored = 0, lost = 0;
	char objects[64] = "";

	kp_cli_say("%-10s%14s%14s", "class", "stored", "lost");
	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		stored += totals->stored[g];
		lost += totals->lost[g];
		if (totals->produced[g])
			kp_cli_say("%-10s%14" PRIu64 "%14" PRIu64, kp_group_name(g),
				   totals->stored[g], totals->lost[g]);
	}
	if (totals->objects_len)
		snprintf(objects, sizeof(objects), ", %.1f MiB of it files that were mapped",
			 (double)totals->objects_len / (1 << 20));
	kp_cli_say("%-10s%14" PRIu64 "%14" PRIu64 "  %.1f MiB in %s%s", "total", stored, lost,
		   (double)totals->log_len / (1 << 20), dir, objects);
	if (totals->doubtful)
		kp_cli_say("%" PRIu64 " of the stored events may not be on disk: the file system "
			   "failed to bring them there",
			   totals->doubtful);
	return lost;
}

/* A text, with card numbers masked as in the log's events. */
static void put_text(const char *text, bool is_masked, struct kp_buf *out)
{
	char *copy = strdup(text);

	if (copy && is_masked)
		kp_card_mask((unsigned char *)copy, strlen(copy), 0);
	kp_buf_json(out, copy ? copy : "", copy ? strlen(copy) : 0);
	free(copy);
}

/* Of what is wanted by name one kind. */
static void describe_wanted(const struct request *request, enum kp_wanted_by by, struct kp_buf *out)
{
	const struct kp_wanted *wanted = request->wanted;
	const char *between = "";

	kp_buf_printf(out, ",\"%s\":[", kp_wanted_option(by));
	for (size_t i = 0; i < request->recorder.wanted_cnt; i++) {
		if (wanted[i].by != by)
			continue;
		kp_buf_puts(out, between);
		put_text(wanted[i].text, true, out);
		between = ",";
	}
	kp_buf_puts(out, "]");
}

/* What the recorder was told, for the log's header. */
static void describe(const struct request *request, struct kp_buf *out)
{
	kp_buf_puts(out, "{\"events\":");
	if (request->events)
		kp_buf_json(out, request->events, strlen(request->events));
	else
		kp_buf_puts(out, "\"default\"");
	kp_buf_printf(out, ",\"tier\":\"%s\",\"pids\":[",
		      kp_tier_name(kp_probes_tier(request->recorder.groups)));
	for (size_t i = 0; i < request->recorder.pid_cnt; i++)
		kp_buf_printf(out, "%s%d", i ? "," : "", request->pids[i]);
	kp_buf_puts(out, "]");
	for (int by = 0; by < KP_WANTED_BY_CNT; by++)
		describe_wanted(request, by, out);
	kp_buf_puts(out, ",\"command\":[");
	for (char *const *word = request->recorder.argv; word && *word; word++) {
		kp_buf_puts(out, word == request->recorder.argv ? "" : ",");
		put_text(*word, request->recorder.is_masked, out);
	}
	kp_buf_printf(out,
		      "],\"mask\":%s,\"ring_len\":%" PRIu64 ",\"memory\":%" PRIu64
		      ",\"irq_threshold_ns\":%" PRIu64 ",\"work_threshold_ns\":%" PRIu64
		      ",\"budget\":%g}",
		      request->recorder.is_masked ? "true" : "false", request->recorder.ring_len,
		      request->recorder.memory, request->recorder.irq_threshold_ns,
		      request->recorder.work_threshold_ns,
		      request->recorder.budget * 100.0 / KP_BUDGET_WHOLE);
}

static int command_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int record(struct request *request)
{
	struct kp_recorder_result result = {0};
	struct kp_err err = {""};
	struct kp_buf json = {0};
	uint64_t lost;
	int r;

	describe(request, &json);
	request->recorder.options_json = json.failed ? NULL : json.data;
	request->recorder.pids = request->pids;
	request->recorder.wanted = request->wanted;
	r = kp_recorder_run(&request->recorder, &result, &err);
	kp_buf_done(&json);
	lost = r < 0 && !result.totals.log_len
		       ? 0
		       : print_totals(&result.totals, request->recorder.dir);
	if (r < 0) {
		kp_cli_error(&err);
		return r == -ENOEXEC ? KP_EXIT_CANNOT_EXECUTE : kp_cli_status(r);
	}
	if (request->is_strict && lost)
		return KP_EXIT_LOST;
	return result.command_ended ? command_status(result.command_status) : KP_EXIT_OK;
}

static bool is_selecting(const struct request *request)
{
	return kp_recorder_selects_others(&request->recorder);
}

static int check(void)
{
	struct kp_buf out = {0};
	bool good = kp_check_run(print_check, &out);
	int status = kp_cli_finish(&out);

	return good ? status : KP_EXIT_KERNEL;
}

static int unpin(const char *path)
{
	struct kp_err err = {""};
	int fd = kp_pins_open(path, &err), cnt;

	if (fd < 0) {
		kp_cli_error(&err);
		return kp_cli_status(fd);
	}
	cnt = kp_pins_clear(fd);
	close(fd);
	if (cnt < 0) {
		kp_err_sys(&err, cnt, "cannot remove what is pinned in %s", path);
		kp_cli_error(&err);
		return kp_cli_status(cnt);
	}
	if (cnt)
		kp_cli_say("removed what a recorder had left in %s", path);
	else
		kp_cli_say("nothing is left in %s", path);
	return KP_EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct request request = {
		.recorder = {.dir = DEFAULT_LOG,
			     .pins = KP_PINS_PATH,
			     .is_confined = true,
			     .groups = KP_GROUPS_DEFAULT,
			     .retain = {.pin_len = NO_PIN_QUOTA},
			     .sync_ns = DEFAULT_SYNC_NS,
			     .ring_len = DEFAULT_RING_LEN,
			     .irq_threshold_ns = DEFAULT_IRQ_NS,
			     .work_threshold_ns = DEFAULT_WORK_NS,
			     .on_second = print_second,
			     .on_warning = print_warning,
			     .on_notice = print_notice},
	};
	struct kp_err err = {""};
	int operands = kp_cli_parse(&kp_command_record, argc, argv, &request);

	if (operands < 0)
		return -1 - operands;
	if ((request.is_check || request.is_unpin) && operands) {
		kp_err_set(&err, -EINVAL, "--%s records nothing: it takes no command",
			   request.is_check ? "check" : "unpin");
		return kp_cli_usage(&kp_command_record, &err);
	}
	if (request.is_check)
		return check();
	if (request.recorder.wanted_cnt) /* who comes later is found by it */
		request.recorder.groups |= 1u << KP_GROUP_life;
	if (request.is_unpin)
		return unpin(request.recorder.pins);
	if (!strcmp(request.recorder.pins, "none"))
		request.recorder.pins = NULL;
	if (settle_limits(&request, &err) < 0)
		return kp_cli_usage(&kp_command_record, &err);
	request.recorder.arg = &request;
	if (operands)
		request.recorder.argv = argv + 1;
	if (!request.has_budget && !operands && !request.events && !is_selecting(&request))
		request.recorder.budget = DEFAULT_BUDGET;
	return record(&request);
}

const struct kp_command kp_command_record = {
	.name = "record",
	.summary = "record what this machine does, and a command so that it can be replayed",
	.usage = "record [-o DIR] [options]\n"
		 "record [-o DIR] [options] -- COMMAND [ARGUMENT...]\n"
		 "record --check\n"
		 "record --unpin [--pin PATH]\n",
	.limits = "The limits of -C, -G and --min-free are looked at each second: what is "
		  "written in that time may come on top of them. The budget does not know what the "
		  "programs in the kernel "
		  "take. Of a "
		  "process that ends within a tenth of a second the program is told only if it was "
		  "told of another before; the first calls of one that --comm chooses may be "
		  "missing. OpenTelemetry "
		  "traces are not received here (--otlp). Calls of 32-bit programs are not "
		  "recorded. A close has no object, since its descriptor is gone. Wake-ups by "
		  "interprocessor and non-maskable interrupts are taken for the interrupted "
		  "task's. A single call's bytes are kept up to 4 MiB.",
	.options = options,
	.stop_at_operand = true,
	.run = run,
};
