/* SPDX-License-Identifier: MIT
 * What all formats of traces have in common: ids, attributes, resources, and the store that their
 * spans go to; see traces_in.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/traces_in.h"
#include "base/wall.h"

/* Text of an array's or map's value that is kept, and how deep into it. */
#define VALUE_MAX 4096
#define VALUE_DEPTH 8
#define DETAIL_MAX 60

/* --- memory, which is bounded --- */

static bool may_take(struct kp_trace_in *in, size_t len)
{
	in->traces->kept += (len + 15) & ~(size_t)15;
	if (in->code == 0 && in->traces->kept > in->kept_max)
		in->code = -EFBIG;
	return in->code == 0;
}

static void *take(struct kp_trace_in *in, size_t len)
{
	void *place;

	if (!may_take(in, len))
		return NULL;
	place = kp_arena_alloc(&in->traces->arena, len);
	if (!place)
		in->code = -ENOMEM;
	return place;
}

/* A copy that stays; never NULL: "" when in->code is set. */
static const char *keep(struct kp_trace_in *in, const char *text, size_t len)
{
	char *copy = len ? take(in, len + 1) : NULL;

	return copy ? memcpy(copy, text, len) : "";
}

/* The content of the scratch as a text that stays. */
static const char *keep_scratch(struct kp_trace_in *in)
{
	if (in->scratch.failed)
		in->code = -ENOMEM;
	return in->scratch.len ? keep(in, in->scratch.data, in->scratch.len) : "";
}

void kp_trace_fault(struct kp_trace_in *in, enum kp_trace_fault fault, const char *at,
		    const char *detail)
{
	struct kp_trace_place *place = &in->traces->first[fault];
	const char *line = in->text, *newline;
	size_t len = strlen(detail);

	if (in->traces->faults[fault]++)
		return;
	place->line = 1;
	while ((newline = memchr(line, '\n', (size_t)(at - line)))) {
		line = newline + 1;
		place->line++;
	}
	place->byte = (uint64_t)(at - line) + 1;
	place->detail = keep(in, detail, len < DETAIL_MAX ? len : DETAIL_MAX);
}

/* The text of a string in the scratch; "" if it is none. */
static const char *scratch_text(struct kp_trace_in *in, struct kp_json value)
{
	kp_buf_reset(&in->scratch);
	if (!kp_json_text(value, &in->scratch) || !in->scratch.len)
		return "";
	return in->scratch.data;
}

/* --- attributes --- */

static void put_value(struct kp_json value, int depth, struct kp_buf *out);

static void put_list(struct kp_json list, bool map, int depth, struct kp_buf *out)
{
	static const char *const names[] = {"key", "value"};
	struct kp_json_iter iter = kp_json_each(list);
	struct kp_json pair[2];

	kp_buf_putc(out, map ? '{' : '[');
	for (bool more = false; out->len < VALUE_MAX && kp_json_next(&iter); more = true) {
		if (more)
			kp_buf_putc(out, ',');
		pair[0] = iter.key;
		pair[1] = iter.value;
		if (map && !iter.keyed)
			kp_json_pick(iter.value, names, pair, 2);
		if (map && !kp_json_text(pair[0], out))
			kp_buf_append(out, pair[0].text, pair[0].len);
		if (map)
			kp_buf_putc(out, '=');
		put_value(pair[1], depth, out);
	}
	kp_buf_putc(out, map ? '}' : ']');
}

/* The members of an AnyValue, and how the Go SDK calls its. */
static const struct any {
	const char *name;
	bool values; /* a list in an object of its own */
	bool map;
} any_members[] = {
	{"stringvalue", false, false}, {"boolvalue", false, false},  {"intvalue", false, false},
	{"doublevalue", false, false}, {"bytesvalue", false, false}, {"arrayvalue", true, false},
	{"kvlistvalue", true, true},   {"value", false, false},
};

/* The first member that is set: null is protobuf's way to say that it is not. */
static const struct any *any_of(struct kp_json object, struct kp_json *ret_value)
{
	struct kp_json_iter iter = kp_json_each(object);

	while (kp_json_next(&iter)) {
		if (kp_json_type(iter.value) == KP_JSON_NULL)
			continue;
		for (size_t i = 0; i < sizeof(any_members) / sizeof(*any_members); i++)
			if (kp_json_is_named(iter.key, any_members[i].name)) {
				*ret_value = iter.value;
				return &any_members[i];
			}
	}
	return NULL;
}

/* A scalar, an AnyValue, or a plain list, as text. */
static void put_value(struct kp_json value, int depth, struct kp_buf *out)
{
	enum kp_json_type type = kp_json_type(value);
	const struct any *any;
	struct kp_json member;

	if (type == KP_JSON_STRING) {
		kp_json_text(value, out);
	} else if (type == KP_JSON_ARRAY || type == KP_JSON_OBJECT) {
		if (depth == 0) {
			kp_buf_puts(out, "...");
			return;
		}
		any = type == KP_JSON_OBJECT ? any_of(value, &member) : NULL;
		if (any && any->values)
			put_list(kp_json_get(member, "values"), any->map, depth - 1, out);
		else if (any)
			put_value(member, depth - 1, out);
		else if (value.len > 2)
			put_list(value, type == KP_JSON_OBJECT, depth - 1, out);
	} else if (type != KP_JSON_NONE && type != KP_JSON_NULL) {
		while (value.len && isspace((unsigned char)value.text[value.len - 1]))
			value.len--;
		kp_buf_append(out, value.text, value.len);
	}
}

/* Steps through attributes: an array of {key, value}, or an object. */
static bool next_attr(struct kp_trace_in *in, struct kp_json_iter *iter, struct kp_json *ret_value)
{
	static const char *const names[] = {"key", "value"};
	struct kp_json pair[2];

	while (kp_json_next(iter)) {
		pair[0] = iter->key;
		pair[1] = iter->value;
		if (!iter->keyed)
			kp_json_pick(iter->value, names, pair, 2);
		kp_buf_reset(&in->scratch);
		if (iter->keyed && kp_json_type(pair[0]) != KP_JSON_STRING)
			kp_buf_append(&in->scratch, pair[0].text, pair[0].len); /* loose */
		else if (!kp_json_text(pair[0], &in->scratch)) {
			kp_trace_fault(in, KP_TF_no_key, iter->value.text, "");
			continue;
		}
		*ret_value = pair[1];
		return true;
	}
	return false;
}

static const struct kp_attr *read_attrs(struct kp_trace_in *in, struct kp_json list)
{
	struct kp_json_iter iter = kp_json_each(list);
	const struct kp_attr *first = NULL;
	struct kp_json value;
	struct kp_attr *attr;

	while (in->code == 0 && next_attr(in, &iter, &value)) {
		attr = take(in, sizeof(*attr));
		if (!attr)
			break;
		attr->key = keep_scratch(in);
		kp_buf_reset(&in->scratch);
		put_value(value, VALUE_DEPTH, &in->scratch);
		attr->value = keep_scratch(in);
		attr->next = first;
		first = attr;
	}
	return first;
}

const char *kp_span_attr(const struct kp_span *span, const char *key)
{
	for (const struct kp_attr *a = span->attrs; a; a = a->next)
		if (strcmp(a->key, key) == 0)
			return a->value;
	return NULL;
}

/* --- resources --- */

static void set_pid(struct kp_trace_in *in, struct kp_resource *r, const char *text, const char *at)
{
	/* A number may be written as a double: 1384.0, 1.384e+03. */
	bool decimal =
		isdigit((unsigned char)*text) && text[strspn(text, "0123456789.eE+-")] == '\0';
	char *end;
	double pid = strtod(text, &end);

	if (decimal && *end == '\0' && pid <= INT32_MAX && pid == (uint32_t)pid)
		r->pid = (uint32_t)pid;
	else
		kp_trace_fault(in, KP_TF_bad_pid, at, text);
}

/* What is taken of a resource: into which of its texts, or what else is done with it. */
enum use { TEXT, PROGRAM, CONTAINER, PID };

static const struct wanted {
	const char *key;
	enum use use;
	size_t place; /* TEXT: of the member; PROGRAM: which of the names */
} wanted[] = {
	{"service.name", TEXT, offsetof(struct kp_resource, service)},
	{"host.name", TEXT, offsetof(struct kp_resource, host)},
	{"hostname", TEXT, offsetof(struct kp_resource, host)}, /* of Jaeger's own clients */
	{"telemetry.sdk.language", TEXT, offsetof(struct kp_resource, sdk)},
	{"process.executable.name", PROGRAM, 0},
	{"process.executable.path", PROGRAM, 1},
	{"process.command", PROGRAM, 2},
	{"container.id", CONTAINER, 0},
	{"k8s.pod.uid", CONTAINER, 0},
	{"k8s.pod.name", CONTAINER, 0},
	{"k8s.pod.ip", CONTAINER, 0},
	{"k8s.container.name", CONTAINER, 0},
	{"container.name", CONTAINER, 0},
	{"process.pid", PID, 0},
};

static void take_wanted(struct kp_trace_in *in, const struct wanted *w, struct kp_resource *r,
			const char *at)
{
	const char *text = in->scratch.len ? in->scratch.data : "";

	if (!*text)
		return;
	switch (w->use) {
	case TEXT:
		*(const char **)((char *)r + w->place) = keep_scratch(in);
		break;
	case PROGRAM:
		text = basename(text);
		r->programs[w->place] = keep(in, text, strlen(text));
		break;
	case CONTAINER:
		if (r->container[0])
			break;
		r->container = w->key;
		r->container_id = keep_scratch(in);
		break;
	case PID:
		set_pid(in, r, text, at);
		break;
	}
}

static void read_resource(struct kp_trace_in *in, struct kp_json attrs, struct kp_resource *r)
{
	struct kp_json_iter iter = kp_json_each(attrs);
	const struct wanted *w;
	struct kp_json value;

	while (in->code == 0 && next_attr(in, &iter, &value)) {
		w = NULL;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted) && in->scratch.len; i++)
			if (strcmp(in->scratch.data, wanted[i].key) == 0)
				w = &wanted[i];
		if (!w)
			continue;
		kp_buf_reset(&in->scratch);
		put_value(value, VALUE_DEPTH, &in->scratch);
		take_wanted(in, w, r, value.text ? value.text : iter.value.text);
	}
}

const struct kp_resource *kp_trace_resource(struct kp_trace_in *in, struct kp_json attrs,
					    struct kp_json service)
{
	struct kp_resource *r;
	size_t len = attrs.len;

	/* Many files say the same again and again. */
	if (in->by && !service.text && len == in->resource.len &&
	    (len == 0 || memcmp(attrs.text, in->resource.text, len) == 0))
		return in->by;
	r = take(in, sizeof(*r));
	if (!r)
		return NULL;
	*r = (struct kp_resource){.service = "",
				  .host = "",
				  .sdk = "",
				  .programs = {"", "", ""},
				  .container = "",
				  .container_id = ""};
	read_resource(in, attrs, r);
	if (*scratch_text(in, service))
		r->service = keep_scratch(in);
	in->resource = attrs;
	in->by = service.text ? NULL : r;
	return r;
}

/* --- spans --- */

/* The number of the last of names that ends text, in any case. */
static uint8_t by_name(const char *text, const char *const *names, unsigned cnt)
{
	size_t len = strlen(text), n;

	for (unsigned i = cnt; i-- > 0;) {
		n = strlen(names[i]);
		if (n <= len && strcasecmp(text + len - n, names[i]) == 0)
			return (uint8_t)i;
	}
	return 0;
}

static uint8_t read_enum(struct kp_json value, unsigned first, const char *const *names,
			 unsigned cnt)
{
	struct kp_buf text = {0};
	uint64_t number;
	uint8_t found;

	if (kp_json_u64(value, 0, &number))
		return number + first < cnt ? (uint8_t)(number + first) : 0;
	kp_json_text(value, &text);
	found = text.len ? by_name(text.data, names, cnt) : 0;
	kp_buf_done(&text);
	return found;
}

uint8_t kp_trace_kind(struct kp_json value, unsigned first)
{
	static const char *const kinds[] = {"unspecified", "internal", "server",
					    "client",      "producer", "consumer"};

	return read_enum(value, first, kinds, KP_SPAN_KIND_CNT);
}

uint8_t kp_trace_status(struct kp_json value)
{
	static const char *const codes[] = {"unset", "ok", "error"};

	return read_enum(value, 0, codes, 3);
}

bool kp_trace_time(struct kp_trace_in *in, struct kp_json value, uint64_t *ret_realtime_ns)
{
	return kp_wall_read(scratch_text(in, value), ret_realtime_ns);
}

static void read_id(struct kp_trace_in *in, const struct kp_span_in *span, struct kp_json value,
		    unsigned bytes, const enum kp_trace_fault *faults, char *ret_id)
{
	const char *text = scratch_text(in, value);
	enum kp_id_form form = kp_id_read(text, strlen(text), bytes, ret_id);

	if (faults && faults[form] != KP_TF_CNT)
		kp_trace_fault(in, faults[form], value.text ? value.text : span->self.text, text);
}

/* A span that ends before it begins is kept: the clock may have been set meanwhile. */
static bool check_times(struct kp_trace_in *in, const struct kp_span_in *span)
{
	enum kp_trace_fault fault = !span->has_start                ? KP_TF_no_start
				    : !span->has_end                ? KP_TF_no_end
				    : span->end_ns < span->start_ns ? KP_TF_backwards
								    : KP_TF_CNT;

	if (fault != KP_TF_CNT)
		kp_trace_fault(in, fault, span->self.text, scratch_text(in, span->name));
	return fault == KP_TF_CNT || fault == KP_TF_backwards;
}

void kp_trace_add(struct kp_trace_in *in, const struct kp_span_in *from)
{
	static const enum kp_trace_fault trace_faults[] = {[KP_ID_NONE] = KP_TF_no_trace_id,
							   [KP_ID_WHOLE] = KP_TF_CNT,
							   [KP_ID_SHORT] = KP_TF_short_trace_id,
							   [KP_ID_BAD] = KP_TF_bad_trace_id},
					 span_faults[] = {[KP_ID_NONE] = KP_TF_no_span_id,
							  [KP_ID_WHOLE] = KP_TF_CNT,
							  [KP_ID_SHORT] = KP_TF_CNT,
							  [KP_ID_BAD] = KP_TF_bad_span_id};
	struct kp_span span = {.kind = from->kind,
			       .status = from->status,
			       .by = from->by,
			       .start_ns = from->start_ns,
			       .end_ns = from->end_ns};

	if (in->code < 0 || !from->by || !check_times(in, from))
		return;
	read_id(in, from, from->trace_id, KP_TRACE_ID_BYTES, trace_faults, span.trace_id);
	read_id(in, from, from->span_id, KP_SPAN_ID_BYTES, span_faults, span.span_id);
	read_id(in, from, from->parent_id, KP_SPAN_ID_BYTES, NULL, span.parent_id);
	scratch_text(in, from->name);
	span.name = keep_scratch(in);
	span.attrs = read_attrs(in, from->attrs);
	if (may_take(in, sizeof(span)))
		in->code = KP_VEC_PUSH(&in->traces->spans, span);
}
