/* SPDX-License-Identifier: MIT
 * From a span to a thread; see join.h.
 */
#include "analyze/join.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A request's calls are looked for so far from the span's ends … */
#define NEAR_NS 10000000
/* … and so many of them, the nearest, at each end. */
#define NEAR_MAX 8
#define SCAN_MAX 4096
/* Calls of different connections make a pair only so much worse than those of one. */
#define OTHER_SOCKET_NS 1000000
/* A request fits alone if the next one is so much further away. */
#define CLEAR_FACTOR 4
#define CLEAR_NS 200000
/* Clocks and SDKs are so exact that a process that began later did not make the span. */
#define BIRTH_NS 1000000

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

/* --- a request's calls --- */

static bool on_socket(const struct kp_call *call)
{
	return call->obj == KP_OBJ_tcp || call->obj == KP_OBJ_unix || call->obj == KP_OBJ_udp ||
	       call->obj == KP_OBJ_sock;
}

static bool same_socket(const struct kp_call *a, const struct kp_call *b)
{
	if (a->ino || b->ino)
		return a->ino == b->ino && a->dev == b->dev;
	return a->sock != KP_NONE && a->sock == b->sock;
}

static uint64_t away(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

struct near {
	const struct kp_call *call[NEAR_MAX];
	uint64_t ns[NEAR_MAX]; /* how far, nearest first */
	unsigned cnt;
};

static void near_add(struct near *near, const struct kp_call *call, uint64_t ns)
{
	unsigned i = near->cnt;

	if (ns > NEAR_NS || (i == NEAR_MAX && ns >= near->ns[i - 1]))
		return;
	if (i == NEAR_MAX)
		i--;
	else
		near->cnt++;
	for (; i > 0 && near->ns[i - 1] > ns; i--) {
		near->ns[i] = near->ns[i - 1];
		near->call[i] = near->call[i - 1];
	}
	near->ns[i] = ns;
	near->call[i] = call;
}

/* Sends that begin, or receives that end with something, near t_ns. */
static void find_near(const struct kp_task *task, uint64_t t_ns, bool sends, struct near *near)
{
	uint32_t a = 0, b = task->calls.cnt, mid;
	const struct kp_call *call;

	near->cnt = 0;
	while (a < b) { /* first call that ends near or later */
		mid = a + (b - a) / 2;
		if (task->calls.at[mid].exit_ns + NEAR_NS < t_ns)
			a = mid + 1;
		else
			b = mid;
	}
	for (b = 0; a < task->calls.cnt && b < SCAN_MAX; a++, b++) {
		call = &task->calls.at[a];
		if (call->entry_ns > t_ns + NEAR_NS)
			return;
		if (!on_socket(call) || call->ret <= 0)
			continue;
		if (sends ? kp_call_sends(call->nr) : kp_call_receives(call->nr))
			near_add(near, call, away(sends ? call->entry_ns : call->exit_ns, t_ns));
	}
}

/* How far the best pair of calls is from the span's ends; KP_NEVER: there is no such call. */
static uint64_t pair_cost(const struct kp_task *task, const struct kp_joined *joined, bool serves)
{
	struct near begin, end;
	uint64_t cost, best = KP_NEVER;

	find_near(task, joined->t0_ns, !serves, &begin);
	find_near(task, joined->t1_ns, serves, &end);
	for (unsigned i = 0; i < begin.cnt; i++)
		for (unsigned k = 0; k < end.cnt; k++) {
			cost = begin.ns[i] + end.ns[k];
			if (!same_socket(begin.call[i], end.call[k]))
				cost = 2 * cost + OTHER_SOCKET_NS;
			best = cost < best ? cost : best;
		}
	if (best == KP_NEVER && begin.cnt + end.cnt)
		best = 4 * NEAR_NS + (begin.cnt ? begin.ns[0] : end.ns[0]);
	return best;
}

static uint64_t request_cost(const struct kp_task *task, const struct kp_joined *joined,
			     uint8_t kind)
{
	uint64_t serving = KP_NEVER, calling = KP_NEVER;

	if (kind != KP_SPAN_CLIENT && kind != KP_SPAN_PRODUCER)
		serving = pair_cost(task, joined, true);
	if (kind != KP_SPAN_SERVER && kind != KP_SPAN_CONSUMER)
		calling = pair_cost(task, joined, false);
	return serving < calling ? serving : calling;
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

/* The process of a pid at the span's time, and what its threads say. */
struct process {
	uint32_t threads;
	uint32_t leader;          /* task, or KP_NONE */
	uint32_t best;            /* the thread, or KP_NONE */
	uint64_t cost, next_cost; /* of its request, and of the next best thread's */
	uint64_t ran_ns;
	enum name_fit name;
};

static void look_at(const struct kp_model *model, uint32_t i, const struct kp_span *span,
		    const struct kp_joined *joined, struct process *p)
{
	const struct kp_task *task = &model->tasks.at[i];
	uint64_t ran = time_running(task, joined->t0_ns, joined->t1_ns);
	uint64_t cost = request_cost(task, joined, span->kind);
	enum name_fit fit = names_fit(model, task, span->by);

	p->threads++;
	if (task->tid == task->pid)
		p->leader = i;
	if (fit == NAME_FITS || p->name == NAME_UNKNOWN)
		p->name = fit;
	if (p->best != KP_NONE && (cost > p->cost || (cost == p->cost && ran <= p->ran_ns))) {
		p->next_cost = cost < p->next_cost ? cost : p->next_cost;
		return;
	}
	p->next_cost = p->cost;
	p->cost = cost;
	p->ran_ns = ran;
	p->best = i;
}

static struct process find_process(const struct kp_model *model, uint32_t pid,
				   const struct kp_span *span, const struct kp_joined *joined)
{
	struct process p = {
		.leader = KP_NONE, .best = KP_NONE, .cost = KP_NEVER, .next_cost = KP_NEVER};

	for (uint32_t i = 1; i < model->tasks.cnt; i++)
		if (model->tasks.at[i].pid == pid && model->tasks.at[i].start_ns <= joined->t1_ns &&
		    model->tasks.at[i].end_ns >= joined->t0_ns)
			look_at(model, i, span, joined, &p);
	return p;
}

/* Whether only this thread's request fits. */
static bool is_clear(const struct process *p)
{
	return p->cost <= 2 * NEAR_NS &&
	       (p->next_cost == KP_NEVER || p->next_cost > CLEAR_FACTOR * p->cost + CLEAR_NS);
}

static void judge_thread(const struct process *p, struct kp_joined *joined)
{
	joined->task = p->best;
	if (p->threads == 1)
		say(joined, 'B', "process.pid, its only thread");
	else if (p->cost == KP_NEVER)
		say(joined, 'D', "process.pid, the busiest of %u threads in this time", p->threads);
	else if (is_clear(p))
		say(joined, 'B', "process.pid, the thread whose request fits");
	else
		say(joined, 'C', "process.pid, the best of several threads with requests that fit");
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
	bool fits = p->cost <= 2 * NEAR_NS;

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
		    "; but as says %s its pid may be a container's, here it is %.15s: --tid names "
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
			    ": as says %s it is a container's. Give the host's thread with --tid",
			    container_of(span));
		return;
	}
	judge_thread(&p, joined);
	if (pid == span->by->pid) /* that is, nobody named the process */
		judge_process(model, &p, span, joined);
}

static void join_thread(const struct kp_model *model, uint32_t tid, struct kp_joined *joined)
{
	uint32_t task = kp_model_task(model, tid, joined->t1_ns);

	if (task == KP_NONE || model->tasks.at[task].end_ns < joined->t0_ns ||
	    model->tasks.at[task].start_ns > joined->t1_ns) {
		say(joined, 'D', "there is no task %u (--tid) in the log at its time", tid);
		return;
	}
	joined->task = task;
	say(joined, 'B', "--tid");
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
	else if (joined.t1_ns < model->first_ns || joined.t0_ns > model->last_ns)
		say(&joined, 'D', "it is outside the log's time");
	else if (place->tid)
		join_thread(model, place->tid, &joined);
	else if (place->pid)
		join_process(model, place->pid, span, &joined);
	else if (is_here(place->host, span, &joined) && has_pid(span, &joined))
		join_process(model, span->by->pid, span, &joined);
	return joined;
}
