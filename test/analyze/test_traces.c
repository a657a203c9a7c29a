/* SPDX-License-Identifier: MIT
 * Traces as exporters write them, and as an attacker would. The files in traces/ were written by
 * the OpenTelemetry SDKs for Python 1.45, JavaScript 2.12, Go 1.47 and Java 1.50, and by the
 * Collector's marshallers.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "analyze/traces.h"

#define TIMES                                                                \
	"\"startTimeUnixNano\":\"1544712660300000001\",\"endTimeUnixNano\":" \
	"\"1544712661300000003\""
#define IDS "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b174\""
#define SPAN                                                                                       \
	"{" IDS ",\"parentSpanId\":\"EEE19B7EC3C1B173\",\"name\":\"pay\",\"kind\":2,"              \
	"\"startTimeUnixNano\":\"1544712660300000001\",\"endTimeUnixNano\":1544712661300000003,"   \
	"\"attributes\":[{\"key\":\"payment\",\"value\":{\"intValue\":\"4017\"}},"                 \
	"{\"key\":\"s\",\"value\":{\"stringValue\":\"a\\u00e9\\ud83d\\ude00\"}},"                  \
	"{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},"                                         \
	"{\"key\":\"b\",\"value\":{\"boolValue\":true}},"                                          \
	"{\"key\":\"y\",\"value\":{\"bytesValue\":\"AAE=\"}},"                                     \
	"{\"key\":\"n\",\"value\":{\"stringValue\":null,\"intValue\":7,\"boolValue\":null}},"      \
	"{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":" \
	"\"x\"}]}}},"                                                                              \
	"{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{"        \
	"\"intValue\":7}}]}}},"                                                                    \
	"{\"key\":\"e\",\"value\":{}}],\"status\":{\"code\":\"STATUS_CODE_ERROR\"},\"new\":[{}]}"
#define RESOURCE                                                                                  \
	"\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"                     \
	"\"stringValue\":\"ledger\"}},{\"key\":\"process.pid\",\"value\":{\"intValue\":\"12\"}}," \
	"{\"key\":\"host.name\",\"value\":{\"stringValue\":\"n1\"}}]}"
#define RESOURCE_SPANS(spans) "{" RESOURCE ",\"scopeSpans\":[{\"spans\":[" spans "]}]}"
#define REQUEST_OF(spans) "{\"resourceSpans\":[" RESOURCE_SPANS(spans) "]}"
#define REQUEST REQUEST_OF(SPAN)

static struct kp_traces t;
static struct kp_err err;

static int parse_bytes(const char *text, size_t len)
{
	kp_traces_done(&t);
	memset(&t, 0, sizeof(t));
	err.text[0] = '\0';
	return kp_traces_parse(&t, text, len, "test", &err);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static const char *explained(void)
{
	static char text[2000];
	struct kp_buf out = {0};

	kp_traces_explain(&t, &out);
	snprintf(text, sizeof(text), "%s", out.len ? out.data : "");
	kp_buf_done(&out);
	return text;
}

Test(traces, every_field)
{
	const struct kp_span *s;

	cr_assert_eq(parse(REQUEST), 0, "%s", err.text);
	cr_assert_eq(t.spans.cnt, 1);
	s = &t.spans.at[0];
	cr_expect_str_eq(s->trace_id, "5b8efff798038103d269b633813fc60c");
	cr_expect_str_eq(s->span_id, "eee19b7ec3c1b174");
	cr_expect_str_eq(s->parent_id, "eee19b7ec3c1b173");
	cr_expect_str_eq(s->name, "pay");
	cr_expect_str_eq(s->by->service, "ledger");
	cr_expect_str_eq(s->by->host, "n1");
	cr_expect_eq(s->by->pid, 12);
	cr_expect_eq(s->kind, KP_SPAN_SERVER);
	cr_expect_eq(s->status, 2);
	cr_expect_eq(s->start_ns, 1544712660300000001u, "64 bits, as a string");
	cr_expect_eq(s->end_ns, 1544712661300000003u, "and as a number, exactly");
	cr_expect_str_eq(kp_span_attr(s, "payment"), "4017");
	cr_expect_str_eq(kp_span_attr(s, "s"), "a\xc3\xa9\xf0\x9f\x98\x80");
	cr_expect_str_eq(kp_span_attr(s, "d"), "1.5");
	cr_expect_str_eq(kp_span_attr(s, "b"), "true");
	cr_expect_str_eq(kp_span_attr(s, "y"), "AAE=");
	cr_expect_str_eq(kp_span_attr(s, "n"), "7", "null members are not set");
	cr_expect_str_eq(kp_span_attr(s, "a"), "[1,x]");
	cr_expect_str_eq(kp_span_attr(s, "m"), "{k=7}");
	cr_expect_str_eq(kp_span_attr(s, "e"), "");
	cr_expect_null(kp_span_attr(s, "none"));
	cr_expect_str_eq(explained(), "");
}

/* One span in each of the wrappings in which OTLP comes. */
Test(traces, wrappings)
{
	static const char *const texts[] = {
		"{\"batches\":[" RESOURCE_SPANS(SPAN) "]}",
		"{\"trace\":{\"resourceSpans\":[" RESOURCE_SPANS(SPAN) "]}}",
		"{\"result\":" REQUEST "}",
		RESOURCE_SPANS(SPAN),
		"[" REQUEST "]",
		"{\"resourceSpans\":[{" RESOURCE
		",\"instrumentationLibrarySpans\":[{\"spans\":[" SPAN "]}]}]}",
		"{\"resource_spans\":[{\"instrumentation_library_spans\":[{\"spans\":[{\"trace_"
		"id\":"
		"\"5b8efff798038103d269b633813fc60c\",\"span_id\":\"eee19b7ec3c1b174\","
		"\"start_time_unix_nano\":\"1544712660300000001\",\"end_time_unix_nano\":"
		"\"1544712661300000003\"}]}]," RESOURCE "}]}",
		"\xef\xbb\xbf" REQUEST,
		"\x1e" REQUEST "\n",
		/* What the Java agent logs. */
		"[otel.javaagent 2026-11-25 10:11:07:368 +0000] [BatchSpanProcessor-1] INFO "
		"OtlpJsonLoggingSpanExporter - " RESOURCE_SPANS(SPAN) "\n",
		"\r\n" REQUEST "\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cr_expect_eq(parse(texts[i]), 0, "%zu: %s", i, err.text);
		cr_assert_eq(t.spans.cnt, 1, "%zu", i);
		cr_expect_str_eq(t.spans.at[0].span_id, "eee19b7ec3c1b174");
		cr_expect_eq(t.spans.at[0].by->pid, 12, "%zu", i);
		cr_expect_str_eq(explained(), "", "%zu", i);
	}
}

Test(traces, framed_lines)
{
	static const char text[] = "\0\0\1\2" REQUEST "\0\0\1\2" REQUEST;

	cr_expect_eq(parse_bytes(text, sizeof(text) - 1), 0);
	cr_expect_eq(t.spans.cnt, 2);
}

Test(traces, lines_with_a_torn_and_a_foreign_one)
{
	cr_assert_eq(
		parse(REQUEST "\n{\"a\":1}\n" REQUEST "\n{\"resourceSpans\":[{\"sco\n" REQUEST), 0);
	cr_expect_eq(t.spans.cnt, 3);
	cr_expect_str_eq(explained(),
			 "1 line not JSON (line 4, byte 1: a string without end or with a control "
			 "character); 1 JSON value in no format of traces that is known (line 2, "
			 "byte 1): export OTLP to a Collector with the exporter 'file'");
}

static const struct {
	const char *span;
	bool kept;
	const char *said;
} odd[] = {
	{"{" IDS ",\"name\":\"x\",\"startTimeUnixNano\":\"5\"}", false,
	 "1 span without an end (line 1, byte 225: x): only spans that have ended"},
	{"{" IDS ",\"endTimeUnixNano\":\"5\"}", false, "1 span without a start"},
	{"{" IDS ",\"startTimeUnixNano\":5,\"endTimeUnixNano\":0}", false, "without an end"},
	{"{" IDS ",\"startTimeUnixNano\":5,\"endTimeUnixNano\":4}", true,
	 "1 span with the end before the begin"},
	{"7", false, "1 span of no JSON object"},
	{"{\"spanId\":\"eee19b7ec3c1b174\"," TIMES "}", true, "1 span without a trace id"},
	{"{\"traceId\":\"\",\"spanId\":\"eee19b7ec3c1b174\"," TIMES "}", true,
	 "without a trace id"},
	{"{\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"1\"," TIMES "}", true,
	 "without a trace id"},
	{"{\"traceId\":\"xyz\",\"spanId\":\"eee19b7ec3c1b174\"," TIMES "}", true,
	 "neither 32 hexadecimal digits nor 16 bytes in base64 (line 1, byte 236: xyz)"},
	{"{\"traceId\":\"5b8efff798038103\",\"spanId\":\"1\"," TIMES "}", true,
	 "1 span with a trace id of fewer than 32 digits"},
	{"{\"traceId\":\"5b8efff798038103d269b633813fc60c\"," TIMES "}", true,
	 "1 span without a span id"},
	{"{" IDS "," TIMES ",\"attributes\":[{\"value\":{\"intValue\":1}}]}", true,
	 "1 attribute without a key"},
};

Test(traces, what_is_odd_is_told)
{
	char text[2000];

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		snprintf(text, sizeof(text), REQUEST_OF("%s"), odd[i].span);
		cr_expect_eq(parse(text), 0, "%s: %s", odd[i].span, err.text);
		cr_expect_eq(t.spans.cnt, odd[i].kept, "%s", odd[i].span);
		cr_expect(strstr(explained(), odd[i].said), "%s: %s", odd[i].span, explained());
	}
}

/* What is no trace at all is named, with what to do. */
Test(traces, what_it_is_instead)
{
#define BYTES(text, said)                    \
	{                                    \
		text, sizeof(text) - 1, said \
	}
	static const struct {
		const char *text;
		size_t len;
		const char *said;
	} cases[] = {
		BYTES("", "is empty"),
		BYTES(" \n", "nothing but spaces"),
		BYTES("{\"a\":1}", "known are OTLP JSON, Tempo's, Jaeger's"),
		BYTES("hello\n", "1 line not JSON (line 1, byte 1: not a value)"),
		BYTES("{\"resourceMetrics\":[]}", "OTLP metrics: give the file of the traces"),
		BYTES("[{\"traceId\":\"1\",\"id\":\"1\",\"timestamp\":1,\"localEndpoint\":{}}]",
		      "Zipkin's JSON: export OTLP"),
		BYTES("{\"log\":\"{}\\n\",\"stream\":\"stdout\",\"time\":\"\"}\n",
		      "Docker's log: give what docker logs prints"),
		BYTES("\xff\xfe{\0\"\0", "UTF-16: convert it with iconv"),
		BYTES("\xfe\xff\0{", "UTF-16"),
		BYTES("{\0\"\0", "UTF-16"),
		BYTES("\x28\xb5\x2f\xfd....", "zstd -d"),
		BYTES("\0\0\0\x20\x28\xb5\x2f\xfd....", "compression: zstd"),
		BYTES("PK\x03\x04", "unzip"),
		BYTES("Activity.TraceId:  0123\n", ".NET"),
		BYTES("ResourceSpans #0\nSpan #0\n    Trace ID       : 1\n", "exporter 'file'"),
		BYTES("<!DOCTYPE html><title>", "HTML"),
		BYTES("\x1b[32m{\x1b[0m", "colours"),
		BYTES("\x01\x02\x03", "binary"),
		BYTES("{\"resourceSpans\":[{\"resource\":{},", "1 JSON value cut off"),
		BYTES("[[[[[[" REQUEST "]]]]]]", "no format"),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cr_expect_eq(parse_bytes(cases[i].text, cases[i].len), -EPROTO, "%zu", i);
		cr_expect(strstr(err.text, cases[i].said), "%zu: %s", i, err.text);
		cr_expect(strstr(err.text, "test "), "%zu: its name is said: %s", i, err.text);
	}
	cr_expect_eq(parse("{\"resourceSpans\":[]}"), 0, "known, and empty");
	cr_expect_eq(t.spans.cnt, 0);
}

/* --- files of the SDKs --- */

static int read_file(const char *name)
{
	char path[512];

	kp_traces_done(&t);
	memset(&t, 0, sizeof(t));
	snprintf(path, sizeof(path), KP_SOURCE_DIR "/test/analyze/traces/%s", name);
	return kp_traces_read(&t, path, &err);
}

static const struct kp_span *named(const char *name)
{
	for (uint32_t i = 0; i < t.spans.cnt; i++)
		if (strcmp(t.spans.at[i].name, name) == 0)
			return &t.spans.at[i];
	cr_assert(false, "no span %s", name);
	return NULL;
}

static const struct {
	const char *file;
	const char *sdk;
	uint32_t pid;
	const char *outer, *inner; /* names of its two spans */
	const char *key;           /* attribute of the outer one: r1 */
} files[] = {
	{"python-console.txt", "python", 0, "pay", "store", "payment"},
	{"python-console-process.txt", "python", 1, "pay", "store", "payment"},
	{"python-otlp-base64.json", "python", 0, "pay", "store", "payment"},
	{"js-console.txt", "nodejs", 0, "pay", "store", "payment"},
	{"js-console-process.txt", "", 1, "pay", "store", "payment"},
	{"js-otlp.json", "nodejs", 0, "pay", "store", "payment"},
	{"go-stdout.txt", "go", 1, "op", "in", "req"},
	{"go-stdout-pretty.txt", "go", 1, "op", "in", "req"},
};

Test(traces, of_the_sdks)
{
	const struct kp_span *outer, *inner;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		cr_assert_eq(read_file(files[i].file), 0, "%s: %s", files[i].file, err.text);
		cr_expect_eq(t.spans.cnt, 2, "%s", files[i].file);
		cr_expect_str_eq(explained(), "", "%s", files[i].file);
		outer = named(files[i].outer);
		inner = named(files[i].inner);
		cr_expect_eq(strlen(outer->trace_id), 32);
		cr_expect_str_eq(outer->trace_id, inner->trace_id);
		cr_expect_str_eq(outer->parent_id, "");
		cr_expect_str_eq(inner->parent_id, outer->span_id, "%s", files[i].file);
		cr_expect_eq(outer->kind, KP_SPAN_SERVER, "%s", files[i].file);
		/* Node.js' clock is that of the millisecond in which a trace began. */
		cr_expect(outer->start_ns <= inner->start_ns &&
				  inner->end_ns <= outer->end_ns + 2000000,
			  "%s", files[i].file);
		cr_expect(outer->end_ns - outer->start_ns > 1000000 &&
				  outer->end_ns - outer->start_ns < 1000000000 &&
				  outer->start_ns / 1000000000000000 == 1795,
			  "%s: %" PRIu64 " to %" PRIu64, files[i].file, outer->start_ns,
			  outer->end_ns);
		cr_expect_str_eq(kp_span_attr(outer, files[i].key), "r1");
		cr_expect_str_eq(kp_span_attr(outer, "n"), "3");
		cr_expect_str_eq(outer->by->sdk, files[i].sdk, "%s", files[i].file);
		cr_expect_eq(outer->by->pid != 0, files[i].pid, "%s", files[i].file);
	}
}

Test(traces, values_that_nodejs_prints)
{
	const struct kp_span *s;

	cr_assert_eq(read_file("js-console.txt"), 0, "%s", err.text);
	s = named("pay");
	cr_expect_eq(s->end_ns - s->start_ns, 8367597);
	cr_expect_str_eq(kp_span_attr(s, "l"), "[1,2]");
	cr_expect_str_eq(kp_span_attr(s, "b"), "true");
	cr_expect_str_eq(kp_span_attr(s, "quote"), "it's \"so\" `so`\n");
	cr_expect_str_eq(kp_span_attr(s, "path"), "C:\\x");
	cr_expect_eq(named("store")->status, 2);
	cr_expect_eq(named("store")->kind, KP_SPAN_CLIENT);
}

Test(traces, of_java_and_the_collector)
{
	cr_assert_eq(read_file("java-logging-otlp.txt"), 0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 1);
	cr_expect_eq(named("op")->end_ns - named("op")->start_ns, 5956511);
	cr_expect_eq(read_file("java-logging.txt"), -EPROTO);
	cr_expect(strstr(err.text, "OTEL_TRACES_EXPORTER=logging-otlp"), "%s", err.text);
	cr_assert_eq(read_file("collector.jsonl"), 0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 2);
	cr_expect_eq(t.spans.at[1].by->pid, 812);
	cr_expect_str_eq(kp_span_attr(&t.spans.at[1], "payment"), "r1");
	cr_expect_eq(read_file("collector-proto.bin"), -EPROTO);
	cr_expect(strstr(err.text, "protobuf"), "%s", err.text);
	cr_expect(strstr(err.text, "format: json"), "%s", err.text);
	cr_expect_eq(read_file("python-otlp.bin"), -EPROTO);
	cr_expect(strstr(err.text, "OTLP in protobuf"), "%s", err.text);
}

Test(traces, of_jaeger)
{
	const struct kp_span *s;

	cr_assert_eq(read_file("jaeger.json"), 0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 3);
	s = named("pay");
	cr_expect_str_eq(s->trace_id, "00000000000000000eee19b7ec3c1b17", "15 digits of 64 bits");
	cr_expect_str_eq(s->span_id, "0eee19b7ec3c1b17");
	cr_expect_eq(s->start_ns, 1729181197748657000u, "microseconds");
	cr_expect_eq(s->end_ns - s->start_ns, 1503500u, "with a fraction");
	cr_expect_eq(s->kind, KP_SPAN_SERVER);
	cr_expect_eq(s->by->pid, 812);
	cr_expect_str_eq(s->by->service, "ledger");
	cr_expect_str_eq(s->by->host, "n1");
	cr_expect_str_eq(kp_span_attr(s, "payment"), "r1");
	s = named("store");
	cr_expect_str_eq(s->parent_id, "0eee19b7ec3c1b17");
	cr_expect_eq(s->status, 2);
	cr_expect_eq(s->by->pid, 813);
	cr_expect_str_eq(s->by->service, "store");
	cr_expect(strstr(explained(), "3 spans with a trace id of fewer than 32 digits"), "%s",
		  explained());
}

/* --- containers and programs of a resource --- */

Test(traces, what_a_resource_says)
{
	const struct kp_resource *by;

	cr_assert_eq(parse("{\"resourceSpans\":[{\"resource\":{\"attributes\":["
			   "{\"key\":\"k8s.pod.name\",\"value\":{\"stringValue\":\"pay-5f96\"}},"
			   "{\"key\":\"process.executable.path\",\"value\":{\"stringValue\":"
			   "\"/usr/bin/python3.11\"}},"
			   "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"-4\"}}]},"
			   "\"scopeSpans\":[{\"spans\":[" SPAN "]}]}]}"),
		     0);
	by = t.spans.at[0].by;
	cr_expect_str_eq(by->container, "k8s.pod.name");
	cr_expect_str_eq(by->container_id, "pay-5f96");
	cr_expect_str_eq(by->programs[1], "python3.11");
	cr_expect_eq(by->pid, 0);
	cr_expect(strstr(explained(), "1 resource with a process.pid that is no process id"), "%s",
		  explained());
}

/* As some exporters write every number. */
Test(traces, a_process_id_may_be_a_double)
{
	static const struct {
		const char *text;
		uint32_t pid;
	} rows[] = {{"1384.0", 1384},    {"1.384e+03", 1384},  {"1384", 1384},
		    {"1384.5", 0},       {"-1384.0", 0},       {"1e300", 0},
		    {"4294968680.0", 0}, {"\"1384.0\"", 1384}, {"\"0x10\"", 0},
		    {"\"inf\"", 0},      {"\"1384 \"", 0}};
	char text[sizeof(SPAN) + 512];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text,
			 "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
			 "{\"key\":\"process.pid\",\"value\":{\"doubleValue\":%s}}]},"
			 "\"scopeSpans\":[{\"spans\":[" SPAN "]}]}]}",
			 rows[i].text);
		cr_assert_eq(parse(text), 0);
		cr_expect_eq(t.spans.at[t.spans.cnt - 1].by->pid, rows[i].pid, "%s", rows[i].text);
	}
}

/* --- what an attacker would write --- */

Test(traces, cut_at_every_byte_and_flipped)
{
	char text[sizeof(REQUEST)];

	for (size_t i = 0; i < sizeof(REQUEST); i++) {
		char *copy = malloc(i ? i : 1); /* exact, so that a read behind it is seen */

		memcpy(copy, REQUEST, i);
		parse_bytes(copy, i);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(REQUEST) - 1; i++) {
		memcpy(text, REQUEST, sizeof(text));
		text[i] ^= (char)(1 << i % 8);
		parse_bytes(text, sizeof(text) - 1);
	}
}

/* A request that ends too early gives what stands before. */
Test(traces, a_cut_request_is_read_as_far_as_it_goes)
{
	cr_expect_eq(parse("{\"resourceSpans\":[" RESOURCE_SPANS(SPAN) "," RESOURCE_SPANS(
			     SPAN) ",{\"resource\":{\"attributes\":[{\"key\":"),
		     0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 2);
	cr_expect_eq(t.spans.at[1].by->pid, 12);
	cr_expect(strstr(explained(), "1 JSON value cut off"), "%s", explained());
	kp_err_set(&err, -ENOENT, "its resource has no process.pid");
	cr_expect_eq(kp_traces_blame(&t, "f", -ENOENT, &err), -ENOENT);
	cr_expect(strstr(err.text, "f is not whole: 1 JSON value cut off"), "%s", err.text);
	cr_expect(strstr(err.text, "By what there is of it, its resource has no"), "%s", err.text);
}

/* Within the value that is cut, its pieces are no further faults. */
Test(traces, a_cut_value_is_one_fault)
{
	cr_expect_eq(
		parse("{\"resourceSpans\":[{\"resource\":{\"attributes\":[]},\"scopeSpans\":[{"),
		-EPROTO);
	cr_expect(strstr(err.text, "1 JSON value cut off"), "%s", err.text);
	cr_expect(!strstr(err.text, "no format"), "%s", err.text);
}

Test(traces, hostile)
{
	static char deep[100000];

	memset(deep, '[', sizeof(deep) - 1);
	cr_expect_eq(parse(deep), -EPROTO);
	cr_expect(strstr(err.text, "deeply"), "%s", err.text);
	for (size_t i = 0; i + 6 < sizeof(deep); i += 5)
		memcpy(deep + i, "{\"a\":", 5);
	cr_expect_eq(parse(deep), -EPROTO);
	cr_expect_eq(parse("{\"resourceSpans\":{\"scopeSpans\":7}}"), 0);
	cr_expect_eq(parse("{\"resourceSpans\":[7,[],null,{\"scopeSpans\":[[{}],{\"spans\":[null,3]"
			   "}]}]}"),
		     0);
	cr_expect_eq(t.spans.cnt, 0);
	cr_expect_eq(parse("{\"trace\":{\"data\":{\"trace\":{\"data\":{\"trace\":{\"data\":" REQUEST
			   "}}}}}}"),
		     -EPROTO);
}

/* Values that begin again and again and never end: no more than a bounded part is read twice. */
Test(traces, much_that_is_no_json)
{
	size_t len = 20 * 1000 * 1000;
	char *text = malloc(len);

	memset(text, '0', len);
	for (size_t i = 0; i < 120; i += 2)
		memcpy(text + i, "[\n", 2);
	for (size_t i = 121; i < len; i += 2)
		text[i] = ',';
	cr_expect_eq(parse_bytes(text, len), -EPROTO);
	cr_expect(strstr(err.text, "too much of it"), "%s", err.text);
	free(text);
}

/* --- files --- */

static char *temp_gzip(const char *text, size_t len, unsigned times)
{
	static char path[64];
	gzFile file;

	strcpy(path, "/tmp/kprobe-test-traces.XXXXXX");
	file = gzdopen(mkstemp(path), "wb9");
	while (times--)
		gzwrite(file, text, (unsigned)len);
	gzclose(file);
	return path;
}

Test(traces, gzip_file)
{
	char *path = temp_gzip(REQUEST, sizeof(REQUEST) - 1, 1);

	cr_expect_eq(kp_traces_read(&t, path, &err), 0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 1);
	kp_traces_done(&t);
	cr_assert_eq(truncate(path, 250), 0);
	cr_expect_eq(kp_traces_read(&t, path, &err), -EPROTO);
	cr_expect(strstr(err.text, "1 gzip stream that ends too early"), "%s", err.text);
	unlink(path);
	cr_expect_eq(kp_traces_read(&t, path, &err), -ENOENT);
	cr_expect(strstr(err.text, path), "%s", err.text);
}

Test(traces, a_gzip_bomb_is_refused)
{
	static char zeros[1 << 20];
	char *path;

	memset(zeros, ' ', sizeof(zeros));
	path = temp_gzip(zeros, sizeof(zeros), 32); /* 32 KiB */
	cr_expect_eq(kp_traces_read(&t, path, &err), -EFBIG);
	cr_expect(strstr(err.text, "64 times"), "%s", err.text);
	cr_expect(strstr(err.text, path), "%s", err.text);
	unlink(path);
}

Test(traces, so_many_spans_are_refused)
{
	static const char begin[] = "{\"scopeSpans\":[{\"spans\":[",
			  span[] = "{\"startTimeUnixNano\":1,\"endTimeUnixNano\":1},";
	size_t len = 60 * 1000 * 1000, at = sizeof(begin) - 1;
	char *text = malloc(len), *path;

	memcpy(text, begin, at);
	for (; at + sizeof(span) + 8 < len; at += sizeof(span) - 1)
		memcpy(text + at, span, sizeof(span) - 1);
	memcpy(text + at, "{}]}]}", 6);
	path = temp_gzip(text, at + 6, 1);
	free(text);
	cr_expect_eq(kp_traces_read(&t, path, &err), -EFBIG);
	cr_expect(strstr(err.text, "64 times") || strstr(err.text, "MiB"), "%s", err.text);
	kp_traces_done(&t);
	unlink(path);
}
