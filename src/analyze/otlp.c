/* SPDX-License-Identifier: MIT
 *
 * OTLP JSON as the protocol's specification has it (opentelemetry-proto, "JSON Protobuf Encoding"):
 * lowerCamelCase names, ids in hexadecimal, enums as integers (names are taken too), 64-bit numbers
 * as strings or numbers.
 */
#include "analyze/otlp.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "analyze/json.h"
#include "base/buf.h"

#define TEXT_MAX ((size_t)1 << 30)
/* Text of an array's or map's value that is kept. */
#define VALUE_MAX 4096

static bool copy_id(char *out, size_t len, const struct kp_json *value)
{
	const char *text = kp_json_string(value);

	if (!text || strlen(text) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return false;
		out[i] = (char)tolower((unsigned char)text[i]);
	}
	out[len] = '\0';
	return true;
}

/* An enum as a number, or by the end of its name: SPAN_KIND_SERVER. */
static uint32_t read_enum(const struct kp_json *value, const char *const *names)
{
	const char *text = kp_json_string(value);
	uint64_t number;

	if (kp_json_u64(value, &number))
		return number < 16 ? (uint32_t)number : 0;
	for (uint32_t i = 0; text && names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return 0;
}

static void value_text(const struct kp_json *any, struct kp_buf *out);

static void list_text(const struct kp_json *list, bool keyed, struct kp_buf *out)
{
	const struct kp_json *item = kp_json_get(list, "values");
	const char *key;

	kp_buf_putc(out, keyed ? '{' : '[');
	for (item = item ? item->child : NULL; item && out->len < VALUE_MAX; item = item->next) {
		key = keyed ? kp_json_string(kp_json_get(item, "key")) : NULL;
		if (key) {
			kp_buf_puts(out, key);
			kp_buf_putc(out, '=');
		}
		value_text(keyed ? kp_json_get(item, "value") : item, out);
		if (item->next)
			kp_buf_putc(out, ',');
	}
	kp_buf_putc(out, keyed ? '}' : ']');
}

/* An AnyValue as text; the reader's bound on nesting bounds this too. */
static void value_text(const struct kp_json *any, struct kp_buf *out)
{
	const struct kp_json *v = any && any->type == KP_JSON_OBJECT ? any->child : NULL;

	if (!v)
		return;
	if (strcmp(v->key, "arrayValue") == 0)
		list_text(v, false, out);
	else if (strcmp(v->key, "kvlistValue") == 0)
		list_text(v, true, out);
	else if (v->type == KP_JSON_TRUE || v->type == KP_JSON_FALSE)
		kp_buf_puts(out, v->type == KP_JSON_TRUE ? "true" : "false");
	else if (v->type == KP_JSON_STRING || v->type == KP_JSON_NUMBER)
		kp_buf_append(out, v->text, v->len);
}

static const struct kp_attr *read_attrs(struct kp_traces *traces, const struct kp_json *list)
{
	const struct kp_attr *first = NULL;
	const struct kp_json *item = list && list->type == KP_JSON_ARRAY ? list->child : NULL;
	struct kp_buf text = {0};
	struct kp_attr *attr;
	const char *key;

	for (; item; item = item->next) {
		key = kp_json_string(kp_json_get(item, "key"));
		if (!key)
			continue;
		kp_buf_reset(&text);
		value_text(kp_json_get(item, "value"), &text);
		attr = kp_arena_alloc(&traces->arena, sizeof(*attr));
		if (!attr || text.failed)
			break;
		attr->key = kp_arena_strndup(&traces->arena, key, strlen(key));
		attr->value = kp_arena_strndup(&traces->arena, text.len ? text.data : "", text.len);
		if (!attr->key || !attr->value)
			break;
		attr->next = first;
		first = attr;
	}
	kp_buf_done(&text);
	return first;
}

const char *kp_span_attr(const struct kp_span *span, const char *key)
{
	for (const struct kp_attr *a = span->attrs; a; a = a->next)
		if (strcmp(a->key, key) == 0)
			return a->value;
	return NULL;
}

static int read_span(struct kp_traces *traces, const struct kp_json *json,
		     const struct kp_span *resource)
{
	static const char *const kinds[] = {"SPAN_KIND_UNSPECIFIED",
					    "SPAN_KIND_INTERNAL",
					    "SPAN_KIND_SERVER",
					    "SPAN_KIND_CLIENT",
					    "SPAN_KIND_PRODUCER",
					    "SPAN_KIND_CONSUMER",
					    NULL};
	static const char *const codes[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK",
					    "STATUS_CODE_ERROR", NULL};
	struct kp_span span = *resource;
	const char *name = kp_json_string(kp_json_get(json, "name"));

	copy_id(span.trace_id, 32, kp_json_get(json, "traceId"));
	copy_id(span.span_id, 16, kp_json_get(json, "spanId"));
	copy_id(span.parent_id, 16, kp_json_get(json, "parentSpanId"));
	if (!kp_json_u64(kp_json_get(json, "startTimeUnixNano"), &span.start_ns) ||
	    !kp_json_u64(kp_json_get(json, "endTimeUnixNano"), &span.end_ns) ||
	    span.end_ns < span.start_ns) {
		traces->skipped++;
		return 0;
	}
	span.kind = read_enum(kp_json_get(json, "kind"), kinds);
	span.status = read_enum(kp_json_get(kp_json_get(json, "status"), "code"), codes);
	span.name = kp_arena_strndup(&traces->arena, name ? name : "", name ? strlen(name) : 0);
	span.attrs = read_attrs(traces, kp_json_get(json, "attributes"));
	return span.name ? KP_VEC_PUSH(&traces->spans, span) : -ENOMEM;
}

static struct kp_span read_resource(struct kp_traces *traces, const struct kp_json *resource)
{
	struct kp_span span = {.service = "", .host = ""};
	const char *text;

	span.attrs = read_attrs(traces, kp_json_get(resource, "attributes"));
	text = kp_span_attr(&span, "service.name");
	if (text)
		span.service = text;
	text = kp_span_attr(&span, "host.name");
	if (text)
		span.host = text;
	text = kp_span_attr(&span, "process.pid");
	if (text)
		span.pid = (uint32_t)strtoul(text, NULL, 10);
	span.attrs = NULL;
	return span;
}

static const struct kp_json *first_of(const struct kp_json *object, const char *key)
{
	const struct kp_json *list = kp_json_get(object, key);

	return list && list->type == KP_JSON_ARRAY ? list->child : NULL;
}

/* One ExportTraceServiceRequest (or TracesData, which looks the same). */
static int read_request(struct kp_traces *traces, const struct kp_json *json)
{
	const struct kp_json *rs, *ss, *s;
	struct kp_span resource;
	int err;

	if (!kp_json_get(json, "resourceSpans"))
		traces->skipped++;
	for (rs = first_of(json, "resourceSpans"); rs; rs = rs->next) {
		resource = read_resource(traces, kp_json_get(rs, "resource"));
		ss = first_of(rs, "scopeSpans");
		if (!ss) /* its name until 2022 */
			ss = first_of(rs, "instrumentationLibrarySpans");
		for (; ss; ss = ss->next)
			for (s = first_of(ss, "spans"); s; s = s->next) {
				err = read_span(traces, s, &resource);
				if (err < 0)
					return err;
			}
	}
	return 0;
}

int kp_traces_parse(struct kp_traces *traces, const char *text, size_t len, const char *name,
		    struct kp_err *err)
{
	uint32_t before = traces->spans.cnt;
	struct kp_err first = {""}, *say = &first;
	struct kp_arena arena = {0};
	struct kp_json *json;
	const char *line;
	size_t at = 0, used;
	int code;

	while (at < len) {
		if (isspace((unsigned char)text[at])) {
			at++;
			continue;
		}
		code = kp_json_read(&arena, text + at, len - at, &used, &json, say);
		if (code == 1)
			code = read_request(traces, json);
		kp_arena_done(&arena);
		if (code == -ENOMEM)
			return kp_err_set(err, code, "%s: out of memory", name);
		if (code == -EBADMSG) { /* the next line may be whole */
			kp_err_prefix(say, code, "%s, from byte %zu", name, at);
			say = NULL;
			traces->skipped++;
			line = memchr(text + at, '\n', len - at);
			used = line ? (size_t)(line - text) + 1 - at : len - at;
		}
		at += used;
	}
	kp_arena_done(&arena);
	if (traces->spans.cnt == before && first.text[0])
		return kp_err_set(err, -EBADMSG, "%s", first.text);
	return 0;
}

static int read_all(gzFile file, struct kp_buf *text)
{
	char *place;
	int n;

	for (;;) {
		place = kp_buf_reserve(text, 1 << 16);
		if (!place)
			return -ENOMEM;
		n = gzread(file, place, 1 << 16);
		if (n < 0)
			return -EIO;
		if (n == 0)
			return 0;
		text->len += (size_t)n;
		if (text->len > TEXT_MAX)
			return -EFBIG;
	}
}

int kp_traces_read(struct kp_traces *traces, const char *path, struct kp_err *err)
{
	gzFile file = gzopen(path, "rbe");
	struct kp_buf text = {0};
	int code, zcode;

	if (!file)
		return kp_err_sys(err, errno ? -errno : -ENOMEM, "cannot open traces %s", path);
	code = read_all(file, &text);
	if (code == -EIO)
		kp_err_set(err, code, "cannot read traces %s: %s", path, gzerror(file, &zcode));
	else if (code < 0)
		kp_err_sys(err, code, "cannot read traces %s", path);
	else
		code = kp_traces_parse(traces, text.data, text.len, path, err);
	gzclose(file);
	kp_buf_done(&text);
	return code;
}

void kp_traces_done(struct kp_traces *traces)
{
	KP_VEC_DONE(&traces->spans);
	kp_arena_done(&traces->arena);
}
