/* SPDX-License-Identifier: MIT
 * Which spans an incident means; see find.h.
 */
#include "analyze/find.h"

#include <errno.h>
#include <string.h>

/* Digits that an id's begin must have: a report prints eight; other words are not ids. */
#define BEGIN_MIN 4
#define BEGIN_MIN_WORD 8

struct finder {
	const struct kp_incident *what;
	struct kp_id_asked trace, span;
	size_t begin_min;
};

static bool attribute_is(const struct kp_span *span, const char *key_value)
{
	const char *equals = strchr(key_value, '=');

	for (const struct kp_attr *a = span->attrs; equals && a; a = a->next)
		if (strncmp(a->key, key_value, (size_t)(equals - key_value)) == 0 &&
		    a->key[equals - key_value] == '\0' && strcmp(a->value, equals + 1) == 0)
			return true;
	return false;
}

static bool has_value(const struct kp_span *span, const char *value)
{
	for (const struct kp_attr *a = span->attrs; a; a = a->next)
		if (strcmp(a->value, value) == 0)
			return true;
	return false;
}

/* How well a span fits; the best are taken. NONE: not at all. */
enum rank {
	RANK_SPAN,   /* the trace and the span */
	RANK_PARENT, /* a traceparent's: the span that it called */
	RANK_TRACE,
	RANK_VALUE,
	RANK_BEGIN, /* first digits of the trace's id */
	RANK_NONE,
};

static enum rank rank_trace(const struct finder *f, const struct kp_span *span)
{
	enum kp_id_fit fit = kp_id_fits(span->trace_id, &f->trace);

	if (fit == KP_ID_BEGINS && strlen(f->trace.begin) < f->begin_min)
		fit = KP_ID_OTHER;
	if (fit == KP_ID_OTHER)
		return RANK_NONE;
	if (f->what->span)
		return kp_id_fits(span->span_id, &f->span) == KP_ID_OTHER ? RANK_NONE
		       : fit == KP_ID_SAME                                ? RANK_TRACE
									  : RANK_BEGIN;
	if (f->trace.span[0] && strcmp(f->trace.span, span->span_id) == 0)
		return RANK_SPAN;
	if (f->trace.span[0] && strcmp(f->trace.span, span->parent_id) == 0)
		return RANK_PARENT;
	return fit == KP_ID_SAME ? RANK_TRACE : RANK_BEGIN;
}

static enum rank rank_of(const struct finder *f, const struct kp_span *span)
{
	enum rank rank;

	if (f->what->attribute)
		return attribute_is(span, f->what->attribute) ? RANK_VALUE : RANK_NONE;
	rank = rank_trace(f, span);
	if (!f->what->trace && rank > RANK_VALUE && has_value(span, f->what->id))
		rank = RANK_VALUE;
	return rank;
}

/* Whether both are one span, exported twice. */
static bool is_copy(const struct kp_span *a, const struct kp_span *b)
{
	return a->span_id[0] && strcmp(a->span_id, b->span_id) == 0 &&
	       strcmp(a->trace_id, b->trace_id) == 0;
}

bool kp_span_seen(struct kp_map *seen, const struct kp_span *span, int *ret_code)
{
	uint64_t key = 14695981039346656037u, *value;

	if (!span->span_id[0])
		return false;
	for (const char *at = span->trace_id; *at; at++)
		key = (key ^ (unsigned char)*at) * 1099511628211u;
	for (const char *at = span->span_id; *at; at++)
		key = (key ^ (unsigned char)*at) * 1099511628211u;
	value = kp_map_upsert(seen, key, 0);
	if (!value) {
		*ret_code = -ENOMEM;
		return true;
	}
	return (*value)++ > 0;
}

static uint64_t length_of(const struct kp_span *span)
{
	return span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
}

static int longest_first(const void *a, const void *b, void *arg)
{
	const struct kp_traces *traces = arg;
	const struct kp_span *x = &traces->spans.at[*(const uint32_t *)a];
	const struct kp_span *y = &traces->spans.at[*(const uint32_t *)b];

	if (length_of(x) != length_of(y))
		return length_of(x) > length_of(y) ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	if (strcmp(x->trace_id, y->trace_id) != 0)
		return strcmp(x->trace_id, y->trace_id);
	return strcmp(x->span_id, y->span_id);
}

/* In the order above copies stand side by side. */
static void drop_copies(const struct kp_traces *traces, struct kp_found *found)
{
	uint32_t kept = 0, i;

	for (i = 0; i < found->spans.cnt; i++) {
		if (kept && is_copy(&traces->spans.at[found->spans.at[i]],
				    &traces->spans.at[found->spans.at[kept - 1]]))
			continue;
		found->spans.at[kept++] = found->spans.at[i];
	}
	found->copies = found->spans.cnt - kept;
	found->spans.cnt = kept;
}

static int nothing_fits(const struct finder *f, const struct kp_traces *traces, struct kp_err *err)
{
	const struct kp_incident *what = f->what;
	const char *asked = what->trace       ? what->trace
			    : what->attribute ? what->attribute
					      : what->id;

	if (what->trace && !f->trace.hex[0] && !f->trace.begin[0])
		kp_err_set(err, -ENOENT,
			   "'%s' is not the id of a trace (32 hexadecimal digits, the first of "
			   "them, or a traceparent)",
			   asked);
	else if (!traces->spans.cnt)
		kp_err_set(err, -ENOENT, "%s holds no span that can be used", what->traces);
	else if (what->trace || what->attribute)
		kp_err_set(err, -ENOENT, "none of the %u spans of %s is of %s %s",
			   traces->spans.cnt, what->traces, what->trace ? "trace" : "attribute",
			   asked);
	else
		kp_err_set(err, -ENOENT,
			   "none of the %u spans of %s has trace id or attribute %s: give --trace "
			   "ID, --attribute KEY=VALUE, or --pid, --from and --to",
			   traces->spans.cnt, what->traces, asked);
	return kp_traces_blame(traces, what->traces, -ENOENT, err);
}

/* First digits must mean one trace. */
static int check_single(const struct kp_found *found, const struct kp_traces *traces,
			const char *asked, struct kp_err *err)
{
	const char *first = traces->spans.at[found->spans.at[0]].trace_id, *other;

	for (uint32_t i = 1; i < found->spans.cnt; i++) {
		other = traces->spans.at[found->spans.at[i]].trace_id;
		if (strcmp(first, other) != 0)
			return kp_err_set(err, -ENOENT,
					  "several traces begin with %s, as %s and %s: give more "
					  "digits",
					  asked, first, other);
	}
	return 0;
}

int kp_find_spans(const struct kp_incident *what, const struct kp_traces *traces,
		  struct kp_found *ret_found, struct kp_err *err)
{
	struct finder f = {.what = what, .begin_min = what->trace ? BEGIN_MIN : BEGIN_MIN_WORD};
	enum rank best = RANK_NONE, rank;

	kp_id_ask(what->trace ? what->trace : what->id, KP_TRACE_ID_BYTES, &f.trace);
	if (what->span && !kp_id_ask(what->span, KP_SPAN_ID_BYTES, &f.span))
		return kp_err_set(err, -ENOENT,
				  "'%s' is not the id of a span: it has 16 hexadecimal digits",
				  what->span);
	for (uint32_t i = 0; i < traces->spans.cnt; i++) {
		rank = rank_of(&f, &traces->spans.at[i]);
		if (rank == RANK_NONE || rank > best)
			continue;
		if (rank < best)
			ret_found->spans.cnt = 0;
		best = rank;
		if (KP_VEC_PUSH(&ret_found->spans, i) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	if (best == RANK_NONE)
		return nothing_fits(&f, traces, err);
	qsort_r(ret_found->spans.at, ret_found->spans.cnt, sizeof(*ret_found->spans.at),
		longest_first, (void *)traces);
	drop_copies(traces, ret_found);
	return best == RANK_BEGIN ? check_single(ret_found, traces, f.trace.begin, err) : 0;
}

void kp_found_done(struct kp_found *found)
{
	KP_VEC_DONE(&found->spans);
}
