/* SPDX-License-Identifier: MIT
 * OTLP JSON as exporters write it, and as an attacker would.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "analyze/json.h"
#include "analyze/otlp.h"

#define SPAN                                                                                       \
	"{\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b174\","       \
	"\"parentSpanId\":\"EEE19B7EC3C1B173\",\"name\":\"pay\",\"kind\":2,"                       \
	"\"startTimeUnixNano\":\"1544712660300000001\",\"endTimeUnixNano\":1544712661300000003,"   \
	"\"attributes\":[{\"key\":\"payment\",\"value\":{\"intValue\":\"4017\"}},"                 \
	"{\"key\":\"s\",\"value\":{\"stringValue\":\"a\\u00e9\\ud83d\\ude00\"}},"                  \
	"{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},"                                         \
	"{\"key\":\"b\",\"value\":{\"boolValue\":true}},"                                          \
	"{\"key\":\"y\",\"value\":{\"bytesValue\":\"AAE=\"}},"                                     \
	"{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":" \
	"\"x\"}]}}},"                                                                              \
	"{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{"        \
	"\"intValue\":7}}]}}},"                                                                    \
	"{\"key\":\"e\",\"value\":{}}],\"status\":{\"code\":\"STATUS_CODE_ERROR\"},\"new\":[{}]}"
#define REQUEST                                                                                    \
	"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{" \
	"\"stringValue\":\"ledger\"}},{\"key\":\"process.pid\",\"value\":{\"intValue\":\"12\"}},"  \
	"{\"key\":\"host.name\",\"value\":{\"stringValue\":\"n1\"}}]},\"scopeSpans\":[{\"spans\":" \
	"[" SPAN "]}]}]}"

static struct kp_traces t;
static struct kp_err err;

static int parse(const char *text)
{
	return kp_traces_parse(&t, text, strlen(text), "test", &err);
}

Test(otlp, every_field)
{
	const struct kp_span *s;

	cr_assert_eq(parse(REQUEST), 0, "%s", err.text);
	cr_assert_eq(t.spans.cnt, 1);
	s = &t.spans.at[0];
	cr_expect_str_eq(s->trace_id, "5b8efff798038103d269b633813fc60c");
	cr_expect_str_eq(s->span_id, "eee19b7ec3c1b174");
	cr_expect_str_eq(s->parent_id, "eee19b7ec3c1b173");
	cr_expect_str_eq(s->name, "pay");
	cr_expect_str_eq(s->service, "ledger");
	cr_expect_str_eq(s->host, "n1");
	cr_expect_eq(s->pid, 12);
	cr_expect_eq(s->kind, 2);
	cr_expect_eq(s->status, 2);
	cr_expect_eq(s->start_ns, 1544712660300000001u, "64 bits, as a string");
	cr_expect_eq(s->end_ns, 1544712661300000003u, "and as a number, exactly");
	cr_expect_str_eq(kp_span_attr(s, "payment"), "4017");
	cr_expect_str_eq(kp_span_attr(s, "s"), "a\xc3\xa9\xf0\x9f\x98\x80");
	cr_expect_str_eq(kp_span_attr(s, "d"), "1.5");
	cr_expect_str_eq(kp_span_attr(s, "b"), "true");
	cr_expect_str_eq(kp_span_attr(s, "y"), "AAE=");
	cr_expect_str_eq(kp_span_attr(s, "a"), "[1,x]");
	cr_expect_str_eq(kp_span_attr(s, "m"), "{k=7}");
	cr_expect_str_eq(kp_span_attr(s, "e"), "");
	cr_expect_null(kp_span_attr(s, "none"));
	kp_traces_done(&t);
}

Test(otlp, lines_with_a_torn_and_a_foreign_one)
{
	cr_assert_eq(
		parse(REQUEST "\n{\"a\":1}\n" REQUEST "\n{\"resourceSpans\":[{\"sco\n" REQUEST), 0);
	cr_expect_eq(t.spans.cnt, 3);
	cr_expect_eq(t.skipped, 2);
	kp_traces_done(&t);
}

Test(otlp, cut_at_every_byte_and_flipped)
{
	char text[sizeof(REQUEST)];

	for (size_t i = 0; i < sizeof(REQUEST); i++) {
		char *copy = malloc(i ? i : 1); /* exact, so that a read behind it is seen */

		memcpy(copy, REQUEST, i);
		kp_traces_parse(&t, copy, i, "test", &err);
		free(copy);
		kp_traces_done(&t);
	}
	for (size_t i = 0; i < sizeof(REQUEST) - 1; i++) {
		memcpy(text, REQUEST, sizeof(text));
		text[i] ^= (char)(1 << i % 8);
		kp_traces_parse(&t, text, sizeof(text) - 1, "test", &err);
		kp_traces_done(&t);
	}
}

Test(otlp, hostile)
{
	static char deep[100000];

	memset(deep, '[', sizeof(deep) - 1);
	cr_expect_eq(parse(deep), -EBADMSG);
	cr_expect(strstr(err.text, "deeply"), "%s", err.text);
	kp_traces_done(&t);
	for (size_t i = 0; i + 6 < sizeof(deep); i += 5)
		memcpy(deep + i, "{\"a\":", 5);
	cr_expect_eq(parse(deep), -EBADMSG);
	kp_traces_done(&t);
	cr_expect_eq(parse("{\"resourceSpans\":{\"scopeSpans\":7}}"), 0);
	cr_expect_eq(parse("{\"resourceSpans\":[7,[],null,{\"scopeSpans\":[[{}],{\"spans\":[null,3]"
			   "}]}]}"),
		     0);
	cr_expect_eq(t.spans.cnt, 0);
	kp_traces_done(&t);
}

static bool number(const char *text, uint64_t *ret)
{
	struct kp_arena arena = {0};
	struct kp_json *json;
	size_t used;
	bool good = kp_json_read(&arena, text, strlen(text), &used, &json, NULL) == 1 &&
		    kp_json_u64(json, ret);

	kp_arena_done(&arena);
	return good;
}

Test(otlp, numbers)
{
	uint64_t n = 0;

	cr_expect(number("18446744073709551615", &n) && n == UINT64_MAX);
	cr_expect(number("\"9007199254740993\"", &n) && n == 9007199254740993u);
	cr_expect(number("1.7e18", &n) && n == 1700000000000000000u);
	cr_expect_not(number("18446744073709551616", &n));
	cr_expect_not(number("-1", &n));
	cr_expect_not(number("1.5", &n));
	cr_expect_not(number("\"12x\"", &n));
	cr_expect_not(number("\"\"", &n));
	cr_expect_not(number("01x", &n) && n != 0);
	cr_expect_not(number("1e999999", &n));
}

Test(otlp, gzip_file)
{
	char path[] = "/tmp/kprobe-test-otlp.XXXXXX";
	int fd = mkstemp(path);
	gzFile file = gzdopen(fd, "wb");

	gzwrite(file, REQUEST, sizeof(REQUEST) - 1);
	gzclose(file);
	cr_expect_eq(kp_traces_read(&t, path, &err), 0, "%s", err.text);
	cr_expect_eq(t.spans.cnt, 1);
	unlink(path);
	cr_expect_eq(kp_traces_read(&t, path, &err), -ENOENT);
	kp_traces_done(&t);
}
