/* SPDX-License-Identifier: MIT
 * From a span to a thread; see join.h.
 */
#include "analyze/join.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analyze/request.h"
#include "base/clock.h"

/* A request fits alone if the next one is so much further away. */
#define CLEAR_FACTOR 4
#define CLEAR_NS 200000
/* Clocks and SDKs are so exact that a process that began later did not make the span. */
#define BIRTH_NS 1000000
/* Ends of a span known no better than this do not tell who ran then. */
#define EXACT_NS 20000

static bool say(struct kp_joined *joined, char confidence, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets or adds to why; false, as a step of a chain that ends here. */
static bool say(struct kp_joined *joined, char confidence, const char *format, ...)
{
	size_t len = strlen(joined->why);
	va_list ap;

	va_start(ap, format);
	vsnprintf(joined->why + len, sizeof(joined->why) - len, format, ap);
	va_end(ap);
	if (confidence > joined->confidence)
		joined->confidence = confidence;
	return false;
}

/* --- hosts --- */

bool kp_host_same(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b), a_label = strcspn(a, "."),
	       b_label = strcspn(b, ".");

	if (a_len && a[a_len - 1] == '.') /* the root's */
		a_len--;
	if (b_len && b[b_len - 1] == '.')
		b_len--;
	if (a_label >= a_len || b_label >= b_len)
		return a_label == b_label && strncasecmp(a, b, a_label) == 0;
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* --- a process and its names --- */

/* Without a version, which a path has and a name not: python3.11. */
static size_t plain_len(const char *name)
{
	size_t len = strlen(name);

	while (len > 1 && (isdigit((unsigned char)name[len - 1]) || name[len - 1] == '.' ||
			   name[len - 1] == '-'))
		len--;
	return len;
}

/* The kernel keeps 15 bytes of a name; programs add words to it (node-MainThread). */
static bool same_program(const char *comm, const char *program)
{
	size_t a = plain_len(comm), b = plain_len(program), both = a < b ? a : b;

	return strncasecmp(comm, program, both) == 0 && (a == b || both >= 4);
}

enum name_fit { NAME_UNKNOWN, NAME_FITS, NAME_DIFFERS };

/* Whether one of the task's names is one of the program's. */
static enum name_fit names_fit(const struct kp_model *model, const struct kp_task *task,
			       const struct kp_resource *by)
{
	enum name_fit fit = NAME_UNKNOWN;

	for (uint32_t i = task->name; i != KP_NONE; i = model->names.at[i].older)
		for (unsigned k = 0; k < KP_PROGRAM_NAMES; k++) {
			if (!by->programs[k][0] || !model->names.at[i].comm[0])
				continue;
			if (same_program(model->names.at[i].comm, by->programs[k]))
				return NAME_FITS;
			fit = NAME_DIFFERS;
		}
	return fit;
}

static const char *program_of(const struct kp_resource *by)
{
	for (unsigned k = 0; k < KP_PROGRAM_NAMES; k++)
		if (by->programs[k][0])
			return by->programs[k];
	return "";
}

/* --- the thread --- */

static uint64_t time_running(const struct kp_task *task, uint64_t lo, uint64_t hi)
{
	uint32_t i = kp_task_rec(task, lo);
	uint64_t ns = 0, begin, end;

	if (i == KP_NONE)
		i = 0;
	for (; i < task->recs.cnt && task->recs.at[i].t_ns < hi; i++) {
		if (task->recs.at[i].kind != KP_REC_RUN)
			continue;
		begin = task->recs.at[i].t_ns > lo ? task->recs.at[i].t_ns : lo;
		end = i + 1 < task->recs.cnt && task->recs.at[i + 1].t_ns < hi
			      ? task->recs.at[i + 1].t_ns
			      : hi;
		ns += end > begin ? end - begin : 0;
	}
	return ns;
}

/* How exactly an end of the span is known: by its own resolution, and by the clock's. */
static uint64_t slack_of(uint64_t realtime_ns, const struct kp_clock_moment *moment)
{
	uint64_t unit = realtime_ns % 1000000 == 0 ? 1000000 : realtime_ns % 1000 == 0 ? 1000 : 0;

	return KP_CLOCK_SLACK_NS + unit + moment->bound_ns;
}

static bool hole_near(const struct kp_model *model, uint64_t t_ns, uint64_t slack_ns)
{
	return kp_model_hole(model, t_ns > slack_ns ? t_ns - slack_ns : 0, t_ns + slack_ns + 1);
}

/*
 * Who takes the time of a span's begin or end runs: of the threads of a process few did so at both.
 * This says nothing if the ends are not known exactly enough, or events were lost there.
 */
static bool ran_at_ends(const struct kp_model *model, const struct kp_task *task,
			const struct kp_span *span, const struct kp_joined *joined)
{
	uint64_t begin = slack_of(span->start_ns, &joined->ends[0]);
	uint64_t end = slack_of(span->end_ns, &joined->ends[1]);

	return begin <= EXACT_NS && end <= EXACT_NS && !hole_near(model, joined->t0_ns, begin) &&
	       !hole_near(model, joined->t1_ns, end) && kp_task_ran(task, joined->t0_ns, begin) &&
	       kp_task_ran(task, joined->t1_ns, end);
}

/* What speaks for a thread, the first first. */
struct claim {
	bool at_ends;
	uint64_t cost; /* of its request */
	uint64_t ran_ns;
};

static bool is_better(const struct claim *a, const struct claim *b)
{
	if (a->at_ends != b->at_ends)
		return a->at_ends;
	return a->cost != b->cost ? a->cost < b->cost : a->ran_ns > b->ran_ns;
}

/* The process of a pid at the span's time, and what its threads say. */
struct process {
	uint32_t threads;
	uint32_t leader;          /* task, or KP_NONE */
	uint32_t best;            /* the thread, or KP_NONE */
	struct claim claim, next; /* its, and the next best */
	enum name_fit name;
};

static void look_at(const struct kp_model *model, uint32_t i, const struct kp_span *span,
		    const struct kp_joined *joined, struct process *p)
{
	const struct kp_task *task = &model->tasks.at[i];
	enum name_fit fit = names_fit(model, task, span->by);
	struct claim claim = {
		.at_ends = ran_at_ends(model, task, span, joined),
		.cost = kp_request_cost(task, joined->t0_ns, joined->t1_ns, span->kind),
		.ran_ns = time_running(task, joined->t0_ns, joined->t1_ns)};

	p->threads++;
	if (task->tid == task->pid)
		p->leader = i;
	if (fit == NAME_FITS || p->name == NAME_UNKNOWN)
		p->name = fit;
	if (p->best == KP_NONE || is_better(&claim, &p->claim)) {
		p->next = p->claim;
		p->claim = claim;
		p->best = i;
	} else if (is_better(&claim, &p->next)) {
		p->next = claim;
	}
}

static struct process find_process(const struct kp_model *model, uint32_t pid,
				   const struct kp_span *span, const struct kp_joined *joined)
{
	static const struct claim none = {.cost = KP_NEVER};
	struct process p = {.leader = KP_NONE, .best = KP_NONE, .claim = none, .next = none};

	for (uint32_t i = 1; i < model->tasks.cnt; i++)
		if (model->tasks.at[i].pid == pid && model->tasks.at[i].start_ns <= joined->t1_ns &&
		    model->tasks.at[i].end_ns >= joined->t0_ns)
			look_at(model, i, span, joined, &p);
	return p;
}

static bool has_request(const struct process *p)
{
	return p->claim.cost <= KP_REQUEST_WHOLE_NS;
}

/* Whether no other thread has a request that fits nearly as well. How near calls are decides only
 * among threads that ran at both ends: pools hand over within microseconds. */
static bool is_clear(const struct process *p)
{
	return has_request(p) &&
	       (p->next.cost == KP_NEVER ||
		(p->claim.at_ends && p->next.cost > CLEAR_FACTOR * p->claim.cost + CLEAR_NS));
}

static bool is_only_at_ends(const struct process *p)
{
	return p->claim.at_ends && !p->next.at_ends;
}

static void judge_thread(const struct process *p, struct kp_joined *joined)
{
	joined->task = p->best;
	if (p->threads == 1)
		say(joined, 'B', "process.pid, its only thread");
	else if (is_only_at_ends(p))
		say(joined, 'B', "process.pid, the only thread that ran at both ends%s",
		    has_request(p) ? ", and whose request fits" : "");
	else if (is_clear(p))
		say(joined, 'B', "process.pid, the thread whose request fits");
	else if (p->claim.cost != KP_NEVER)
		say(joined, 'C', "process.pid, the best of several threads with requests that fit");
	else
		say(joined, 'D', "process.pid, the busiest of %u threads in this time", p->threads);
}

/* What says that the pid is one of a container; NULL: nothing. */
static const char *container_of(const struct kp_span *span)
{
	if (span->by->container[0])
		return span->by->container;
	return span->by->pid == 1 ? "process.pid 1" : NULL;
}

/* What speaks against the process: that joins nothing, or lowers the confidence; all of it said. */
static void judge_process(const struct kp_model *model, const struct process *p,
			  const struct kp_span *span, struct kp_joined *joined)
{
	const struct kp_task *leader = &model->tasks.at[p->leader == KP_NONE ? p->best : p->leader];
	const char *comm =
		kp_model_comm(model, (uint32_t)(leader - model->tasks.at), joined->t1_ns);
	const char *container = container_of(span), *program = program_of(span->by);
	bool fits = has_request(p) || is_only_at_ends(p);

	comm = comm ? comm : "?";
	if (leader->kthread || leader->start_ns > joined->t0_ns + BIRTH_NS ||
	    (p->name == NAME_DIFFERS && container)) {
		joined->task = KP_NONE;
		joined->why[0] = '\0';
		say(joined, 'D', "here process %u is %.15s, ", leader->pid, comm);
		if (leader->kthread)
			say(joined, 'D', "a thread of the kernel");
		else if (leader->start_ns > joined->t0_ns + BIRTH_NS)
			say(joined, 'D', "which began after the span");
		else
			say(joined, 'D', "not %.40s", program);
		say(joined, 'D', ": process.pid is one of %s%s. Give the host's thread with --tid",
		    container ? "a container, as says " : "another pid namespace or time",
		    container ? container : "");
		return;
	}
	if (container)
		say(joined, p->name == NAME_FITS && fits ? 'C' : 'D',
		    "; but as %s says its pid may be a container's, here it is %.15s: --tid names "
		    "the thread surely",
		    container, comm);
	else if (p->name == NAME_DIFFERS)
		say(joined, fits ? 'C' : 'D', "; but that is %.15s here, not %.40s", comm, program);
}

static void join_process(const struct kp_model *model, uint32_t pid, const struct kp_span *span,
			 struct kp_joined *joined)
{
	struct process p = find_process(model, pid, span, joined);

	joined->looked = true;
	if (!p.threads) {
		say(joined, 'D', "its process (process.pid %u) is not in the log at its time", pid);
		if (container_of(span))
			say(joined, 'D',
			    ": as %s says it is a container's. Give the host's thread with --tid",
			    container_of(span));
		return;
	}
	judge_thread(&p, joined);
	if (pid == span->by->pid) /* that is, nobody named the process */
		judge_process(model, &p, span, joined);
}

static void join_thread(const struct kp_model *model, uint32_t tid, const struct kp_span *span,
			struct kp_joined *joined)
{
	uint32_t task = kp_model_task(model, tid, joined->t1_ns);

	if (task == KP_NONE || model->tasks.at[task].end_ns < joined->t0_ns ||
	    model->tasks.at[task].start_ns > joined->t1_ns) {
		say(joined, 'D', "there is no task %u (--tid) in the log at its time", tid);
		return;
	}
	joined->task = task;
	say(joined, 'B', "--tid");
	if (span->by->pid && span->by->pid != model->tasks.at[task].pid && !container_of(span))
		say(joined, 'C', "; but that is of process %u, and the span's process.pid is %u",
		    model->tasks.at[task].pid, span->by->pid);
}

/* --- a span without the attribute that names its process --- */

/* How a program's SDK can be made to say process.pid; the last row is for all others. */
static const struct remedy {
	const char *sdk; /* telemetry.sdk.language */
	const char *text;
} remedies[] = {
	{"python", "set OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=process,host for the program"},
	{"nodejs", "give its provider resource: detectResources({detectors: [processDetector, "
		   "hostDetector]}) of @opentelemetry/resources"},
	{"go", "make its resource with resource.WithProcessPID()"},
	{"java", "use the Java agent, or add io.opentelemetry.instrumentation:"
		 "opentelemetry-resources"},
	{"dotnet", "configure its resource with AddProcessDetector() of "
		   "OpenTelemetry.Resources.Process"},
	{"", "set OTEL_RESOURCE_ATTRIBUTES=process.pid=PID for the program"},
};

static bool has_pid(const struct kp_span *span, struct kp_joined *joined)
{
	const struct remedy *r = remedies;

	if (span->by->pid)
		return true;
	while (r->sdk[0] && strcmp(r->sdk, span->by->sdk) != 0)
		r++;
	return say(joined, 'D',
		   "its resource has no process.pid: %s, or give its thread with --tid", r->text);
}

static bool is_here(const char *host, const struct kp_span *span, struct kp_joined *joined)
{
	if (!span->by->host[0] || !host[0] || kp_host_same(span->by->host, host))
		return true;
	return say(
		joined, 'D',
		"its host.name is %.64s, the log's node is %.64s. If that is a container's name, "
		"give the host's thread with --tid",
		span->by->host, host);
}

/* Whether some of it is in the log's time; else says both times. */
static bool is_in_time(const struct kp_model *model, const struct kp_clock *clock,
		       const struct kp_span *span, struct kp_joined *joined)
{
	struct kp_buf text = {0};

	if (joined->t1_ns >= model->first_ns && joined->t0_ns <= model->last_ns)
		return true;
	kp_buf_puts(&text, "its time, ");
	kp_clock_put_wall(span->start_ns, &text);
	kp_buf_puts(&text, " to ");
	kp_clock_put_wall(span->end_ns, &text);
	kp_buf_puts(&text, ", is outside the log's time, ");
	kp_clock_put_wall(kp_clock_to_real(clock, model->first_ns), &text);
	kp_buf_puts(&text, " to ");
	kp_clock_put_wall(kp_clock_to_real(clock, model->last_ns), &text);
	say(joined, 'D', "%s", text.len ? text.data : "it is outside the log's time");
	kp_buf_done(&text);
	return false;
}

static void join_place(const struct kp_model *model, const struct kp_join_place *place,
		       const struct kp_span *span, struct kp_joined *joined)
{
	if (place->tid)
		join_thread(model, place->tid, span, joined);
	else if (place->pid)
		join_process(model, place->pid, span, joined);
	else if (is_here(place->host, span, joined) && has_pid(span, joined))
		join_process(model, span->by->pid, span, joined);
}

struct kp_joined kp_join(const struct kp_model *model, const struct kp_clock *clock,
			 const struct kp_join_place *place, const struct kp_span *span)
{
	struct kp_joined joined = {
		.task = KP_NONE,
		.confidence = 'A',
	};
	uint32_t pid = place->pid ? place->pid : span->by->pid;
	bool forward = kp_join_window(model, clock, pid, span->start_ns, span->end_ns, joined.ends,
				      &joined.ran);

	joined.t0_ns = joined.ends[0].time_ns;
	joined.t1_ns = joined.ends[1].time_ns;
	if (!forward)
		say(&joined, 'D', "it ends before it begins, and the clock was not set in between");
	else if (is_in_time(model, clock, span, &joined))
		join_place(model, place, span, &joined);
	return joined;
}
