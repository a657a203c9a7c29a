/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reading of traces, in each of its formats, and the questions that are asked of what
 * was read. Configure with -DKP_FUZZ=ON and clang, then
 *
 *   fuzz_traces -max_len=65536 CORPUS test/analyze/traces
 *
 * New inputs go into CORPUS, an empty folder at first. The text is read from memory of just its
 * length, so that a read behind it is seen.
 */
#include <stdlib.h>
#include <string.h>

#include "analyze/find.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is kept of a span must hold what traces.h says of it. */
static void check_span(const struct kp_span *span)
{
	size_t id = strlen(span->trace_id);

	if ((id != 0 && id != 2 * KP_TRACE_ID_BYTES) ||
	    strspn(span->trace_id, "0123456789abcdef") != id ||
	    strlen(span->span_id) > 2 * KP_SPAN_ID_BYTES || !span->name || !span->by ||
	    !span->by->service || !span->by->host || span->kind >= KP_SPAN_KIND_CNT)
		abort();
	for (const struct kp_attr *a = span->attrs; a; a = a->next)
		if (strlen(a->key) + strlen(a->value) == (size_t)-1)
			abort();
}

static void ask(const struct kp_traces *traces, const struct kp_incident *what)
{
	struct kp_found found = {0};
	struct kp_err err;

	if (kp_find_spans(what, traces, &found, &err) == 0 &&
	    (found.spans.cnt == 0 || found.spans.at[0] >= traces->spans.cnt))
		abort();
	kp_found_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kp_incident by_value = {.id = "r1", .traces = "t"}, by_trace = by_value;
	struct kp_traces traces = {0};
	struct kp_err err;
	struct kp_buf odd = {0};
	char *text = malloc(len ? len : 1);

	if (!text)
		return 0;
	memcpy(text, data, len);
	kp_traces_parse(&traces, text, len, "t", &err);
	free(text);
	for (uint32_t i = 0; i < traces.spans.cnt; i++)
		check_span(&traces.spans.at[i]);
	kp_traces_explain(&traces, &odd);
	ask(&traces, &by_value);
	by_trace.trace = traces.spans.cnt ? traces.spans.at[0].trace_id : "5b8e";
	ask(&traces, &by_trace);
	kp_buf_done(&odd);
	kp_traces_done(&traces);
	return 0;
}
