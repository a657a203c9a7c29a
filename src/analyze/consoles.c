/* SPDX-License-Identifier: MIT
 * Formats of traces other than OTLP: Jaeger's JSON, and what the SDKs' console exporters print.
 */
#include <stdlib.h>
#include <string.h>

#include "analyze/traces_in.h"

/* --- Jaeger: {"traceID", "spans": […], "processes": {"p1": …}}, times in microseconds --- */

/* A process of a trace, by its id; the resource is read when a span first names it. */
struct process {
	struct kp_json id;
	struct kp_json value;
	const struct kp_resource *by;
};

struct processes {
	KP_VEC(struct process) list; /* by id */
	struct process none;         /* of spans that name none, or none that there is */
};

static int id_order(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	if (x->id.len != y->id.len)
		return x->id.len < y->id.len ? -1 : 1;
	return memcmp(x->id.text, y->id.text, x->id.len);
}

static void list_processes(struct kp_trace_in *in, struct kp_json value, struct processes *ret)
{
	struct kp_json_iter iter = kp_json_each(value);
	struct process process = {0};

	while (in->code == 0 && iter.keyed && kp_json_next(&iter)) {
		process.id = iter.key;
		process.value = iter.value;
		in->code = KP_VEC_PUSH(&ret->list, process);
	}
	if (ret->list.cnt)
		qsort(ret->list.at, ret->list.cnt, sizeof(process), id_order);
}

static const struct kp_resource *process_of(struct kp_trace_in *in, struct processes *processes,
					    struct kp_json id)
{
	static const char *const names[] = {"servicename", "tags"};
	struct process key = {.id = id}, *p = NULL;
	struct kp_json m[2];

	if (id.text && processes->list.cnt)
		p = bsearch(&key, processes->list.at, processes->list.cnt, sizeof(key), id_order);
	if (!p)
		p = &processes->none;
	if (!p->by) {
		kp_json_pick(p->value, names, m, 2);
		p->by = kp_trace_resource(in, m[1], m[0]);
	}
	return p->by;
}

/* The span that a reference of type CHILD_OF names; older ones have a parentSpanID instead. */
static struct kp_json parent_of(struct kp_json references, struct kp_json parent)
{
	static const char *const names[] = {"reftype", "spanid"};
	struct kp_json_iter iter = kp_json_each(references);
	struct kp_json m[2];

	while (!parent.text && kp_json_next(&iter)) {
		kp_json_pick(iter.value, names, m, 2);
		if (m[0].len == 10 && memcmp(m[0].text, "\"CHILD_OF\"", 10) == 0)
			parent = m[1];
	}
	return parent;
}

/* What Jaeger keeps as tags: the kind, and whether it failed. */
static void read_tags(struct kp_json tags, struct kp_span_in *s)
{
	static const char *const names[] = {"key", "value"};
	struct kp_json_iter iter = kp_json_each(tags);
	struct kp_json m[2];

	while (kp_json_next(&iter)) {
		kp_json_pick(iter.value, names, m, 2);
		if (m[0].len == 11 && memcmp(m[0].text, "\"span.kind\"", 11) == 0)
			s->kind = kp_trace_kind(m[1], 0);
		else if (m[0].len == 18 && memcmp(m[0].text, "\"otel.status_code\"", 18) == 0)
			s->status = kp_trace_status(m[1]);
		else if (m[0].len == 7 && memcmp(m[0].text, "\"error\"", 7) == 0 &&
			 kp_json_type(m[1]) == KP_JSON_TRUE)
			s->status = 2;
	}
}

static void read_jaeger_span(struct kp_trace_in *in, struct kp_json span,
			     const struct kp_resource *by)
{
	enum { TRACE, SPAN, PARENT, REFERENCES, NAME, START, DURATION, TAGS, CNT };
	static const char *const names[CNT] = {"traceid",    "spanid",        "parentspanid",
					       "references", "operationname", "starttime",
					       "duration",   "tags"};
	struct kp_json m[CNT];
	struct kp_span_in s = {.self = span, .by = by};
	uint64_t length;

	kp_json_pick(span, names, m, CNT);
	s.trace_id = m[TRACE];
	s.span_id = m[SPAN];
	s.parent_id = parent_of(m[REFERENCES], m[PARENT]);
	s.name = m[NAME];
	s.attrs = m[TAGS];
	read_tags(m[TAGS], &s);
	s.has_start = kp_json_u64(m[START], 3, &s.start_ns) && s.start_ns;
	s.has_end = kp_json_u64(m[DURATION], 3, &length) &&
		    !__builtin_add_overflow(s.start_ns, length, &s.end_ns);
	kp_trace_add(in, &s);
}

void kp_trace_read_jaeger(struct kp_trace_in *in, struct kp_json trace)
{
	static const char *const names[] = {"spans", "processes"};
	struct processes processes = {0};
	struct kp_json_iter iter;
	struct kp_json m[2];

	kp_json_pick(trace, names, m, 2);
	list_processes(in, m[1], &processes);
	iter = kp_json_each(m[0]);
	while (in->code == 0 && kp_json_next(&iter)) {
		if (kp_json_type(iter.value) == KP_JSON_OBJECT)
			read_jaeger_span(
				in, iter.value,
				process_of(in, &processes, kp_json_get(iter.value, "processid")));
		else
			kp_trace_fault(in, KP_TF_no_object, iter.value.text, "");
	}
	KP_VEC_DONE(&processes.list);
}

/* --- the Python SDK's ConsoleSpanExporter: to_json() of each span --- */

void kp_trace_read_python(struct kp_trace_in *in, struct kp_json span)
{
	enum { CONTEXT, PARENT, NAME, KIND, START, END, ATTRS, STATUS, RESOURCE, CNT };
	static const char *const names[CNT] = {"context",    "parentid",  "name",
					       "kind",       "starttime", "endtime",
					       "attributes", "status",    "resource"};
	struct kp_json m[CNT], attrs, none = {0};
	struct kp_span_in s = {.self = span};

	kp_json_pick(span, names, m, CNT);
	s.trace_id = kp_json_get(m[CONTEXT], "traceid");
	s.span_id = kp_json_get(m[CONTEXT], "spanid");
	s.parent_id = m[PARENT];
	s.name = m[NAME];
	s.attrs = m[ATTRS];
	s.kind = kp_trace_kind(m[KIND], 0);
	s.status = kp_trace_status(kp_json_get(m[STATUS], "statuscode"));
	s.has_start = kp_trace_time(in, m[START], &s.start_ns);
	s.has_end = kp_trace_time(in, m[END], &s.end_ns);
	/* Until 2023 the resource was its attributes. */
	attrs = kp_json_get(m[RESOURCE], "attributes");
	s.by = kp_trace_resource(in, attrs.text ? attrs : m[RESOURCE], none);
	kp_trace_add(in, &s);
}

/* --- the JavaScript SDK's ConsoleSpanExporter: console.dir of each span, in microseconds --- */

void kp_trace_read_js(struct kp_trace_in *in, struct kp_json span)
{
	enum {
		TRACE,
		SPAN,
		PARENT,
		CONTEXT,
		NAME,
		KIND,
		START,
		DURATION,
		ATTRS,
		STATUS,
		RESOURCE,
		CNT
	};
	static const char *const names[CNT] = {
		"traceid",    "id",     "parentid",  "parentspancontext",
		"name",       "kind",   "timestamp", "duration",
		"attributes", "status", "resource"};
	struct kp_json m[CNT], none = {0};
	struct kp_span_in s = {.self = span};
	uint64_t length;

	kp_json_pick(span, names, m, CNT);
	s.trace_id = m[TRACE];
	s.span_id = m[SPAN];
	s.parent_id = m[PARENT].text ? m[PARENT] : kp_json_get(m[CONTEXT], "spanid");
	s.name = m[NAME];
	s.attrs = m[ATTRS];
	s.kind = kp_trace_kind(m[KIND], KP_SPAN_INTERNAL); /* that is 0 there */
	s.status = kp_trace_status(kp_json_get(m[STATUS], "code"));
	s.has_start = kp_json_u64(m[START], 3, &s.start_ns) && s.start_ns;
	s.has_end = kp_json_u64(m[DURATION], 3, &length) &&
		    !__builtin_add_overflow(s.start_ns, length, &s.end_ns);
	s.by = kp_trace_resource(in, kp_json_get(m[RESOURCE], "attributes"), none);
	kp_trace_add(in, &s);
}

/* --- the Go SDK's stdouttrace: the span as encoding/json has it --- */

void kp_trace_read_go(struct kp_trace_in *in, struct kp_json span)
{
	enum { CONTEXT, PARENT, NAME, KIND, START, END, ATTRS, STATUS, RESOURCE, CNT };
	static const char *const names[CNT] = {"spancontext", "parent",    "name",
					       "spankind",    "starttime", "endtime",
					       "attributes",  "status",    "resource"};
	struct kp_json m[CNT], none = {0};
	struct kp_span_in s = {.self = span};

	kp_json_pick(span, names, m, CNT);
	s.trace_id = kp_json_get(m[CONTEXT], "traceid");
	s.span_id = kp_json_get(m[CONTEXT], "spanid");
	s.parent_id = kp_json_get(m[PARENT], "spanid");
	s.name = m[NAME];
	s.attrs = m[ATTRS];
	s.kind = kp_trace_kind(m[KIND], 0);
	s.status = kp_trace_status(kp_json_get(m[STATUS], "code"));
	s.has_start = kp_trace_time(in, m[START], &s.start_ns);
	s.has_end = kp_trace_time(in, m[END], &s.end_ns);
	s.by = kp_trace_resource(in, m[RESOURCE], none);
	kp_trace_add(in, &s);
}
