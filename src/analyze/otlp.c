/* SPDX-License-Identifier: MIT
 *
 * OTLP in JSON, as the protocol's specification has it (opentelemetry-proto, "JSON Protobuf
 * Encoding"): lowerCamelCase names, ids in hexadecimal, enums as integers (names are taken too),
 * 64-bit numbers as strings or numbers. Names with underscores, ids in base64 and null members,
 * which protobuf's own JSON has, are read too.
 */
#include "analyze/traces_in.h"

static void read_span(struct kp_trace_in *in, struct kp_json span, const struct kp_resource *by)
{
	enum { TRACE, SPAN, PARENT, NAME, KIND, START, END, ATTRS, STATUS, CNT };
	static const char *const names[CNT] = {
		"traceid",           "spanid",          "parentspanid", "name",  "kind",
		"starttimeunixnano", "endtimeunixnano", "attributes",   "status"};
	struct kp_json m[CNT];
	struct kp_span_in s = {.self = span, .by = by};

	if (kp_json_type(span) != KP_JSON_OBJECT) {
		kp_trace_fault(in, KP_TF_no_object, span.text, "");
		return;
	}
	kp_json_pick(span, names, m, CNT);
	s.trace_id = m[TRACE];
	s.span_id = m[SPAN];
	s.parent_id = m[PARENT];
	s.name = m[NAME];
	s.attrs = m[ATTRS];
	s.kind = kp_trace_kind(m[KIND], 0);
	s.status = kp_trace_status(kp_json_get(m[STATUS], "code"));
	/* Zero is protobuf's way to say that a number is not set. */
	s.has_start = kp_json_u64(m[START], 0, &s.start_ns) && s.start_ns;
	s.has_end = kp_json_u64(m[END], 0, &s.end_ns) && s.end_ns;
	kp_trace_add(in, &s);
}

void kp_trace_read_span(struct kp_trace_in *in, struct kp_json span)
{
	struct kp_json none = {0};

	read_span(in, span, kp_trace_resource(in, none, none));
}

static void read_scope(struct kp_trace_in *in, struct kp_json scope, const struct kp_resource *by)
{
	struct kp_json_iter iter = kp_json_each(kp_json_get(scope, "spans"));

	while (in->code == 0 && kp_json_next(&iter))
		read_span(in, iter.value, by);
}

void kp_trace_read_resource_spans(struct kp_trace_in *in, struct kp_json value)
{
	/* The second is what scopes were called until 2022. */
	static const char *const names[] = {"scopespans", "instrumentationlibraryspans",
					    "resource"};
	struct kp_json m[3], none = {0};
	struct kp_json_iter iter;
	const struct kp_resource *by;

	kp_json_pick(value, names, m, 3);
	by = kp_trace_resource(in, kp_json_get(m[2], "attributes"), none);
	for (int i = 0; i < 2 && by; i++) {
		iter = kp_json_each(m[i]);
		while (in->code == 0 && kp_json_next(&iter))
			read_scope(in, iter.value, by);
	}
}

void kp_trace_read_request(struct kp_trace_in *in, struct kp_json request)
{
	static const char *const names[] = {"resourcespans", "batches"};
	struct kp_json m[2];
	struct kp_json_iter iter;

	kp_json_pick(request, names, m, 2);
	for (int i = 0; i < 2; i++) {
		iter = kp_json_each(m[i]);
		while (in->code == 0 && kp_json_next(&iter))
			kp_trace_read_resource_spans(in, iter.value);
	}
}
