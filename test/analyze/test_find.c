/* SPDX-License-Identifier: MIT
 * Which spans an incident means.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "analyze/find.h"

static struct kp_resource by = {.service = "s"};
static struct kp_traces t;
static struct kp_incident what;
static struct kp_err err;

static struct kp_attr attrs[] = {{"payment", "4017", NULL}, {"payment", "5b8efff7", NULL}};

static void add(const char *trace, const char *id, const char *parent, uint64_t ns,
		const struct kp_attr *attr)
{
	struct kp_span span = {.name = "n", .by = &by, .end_ns = ns, .attrs = attr};

	strcpy(span.trace_id, trace);
	strcpy(span.span_id, id);
	strcpy(span.parent_id, parent);
	cr_assert_eq(KP_VEC_PUSH(&t.spans, span), 0);
}

#define ONE "5b8efff798038103d269b633813fc60c"
#define TWO "5b8effaa98038103d269b633813fc60d"
#define SMALL "00000000000000000eee19b7ec3c1b17"

static void fill(void)
{
	what.traces = "FILE";
	what.id = "x";
	add(ONE, "00000000000000a1", "", 10, NULL);
	add(ONE, "00000000000000a2", "00000000000000a1", 30, NULL);
	add(ONE, "00000000000000a2", "00000000000000a1", 30, NULL); /* exported again */
	add(ONE, "00000000000000a3", "00000000000000a2", 20, &attrs[0]);
	add(TWO, "00000000000000b1", "", 5, &attrs[1]);
	add(SMALL, "00000000000000c1", "", 5, NULL);
}

/* How many, and the index of the first. */
static int find(uint32_t *ret_first)
{
	struct kp_found found = {0};
	int code = kp_find_spans(&what, &t, &found, &err), n = (int)found.spans.cnt;

	if (code == 0)
		*ret_first = found.spans.at[0];
	kp_found_done(&found);
	return code < 0 ? code : n;
}

static int trace(const char *id, uint32_t *ret_first)
{
	what.trace = id;
	return find(ret_first);
}

Test(find, a_trace_by_every_form_of_its_id)
{
	uint32_t first = 99;

	fill();
	cr_expect_eq(trace(ONE, &first), 3, "a copy counts once");
	cr_expect_eq(first, 1, "the longest");
	cr_expect_eq(trace("5B8EFFF798038103D269B633813FC60C", &first), 3);
	cr_expect_eq(trace("5b8efff7", &first), 3, "as a report prints it");
	cr_expect_eq(trace("0x5b8efff7", &first), 3);
	cr_expect_eq(trace("eee19b7ec3c1b17", &first), 1, "without its zeros");
	cr_expect_eq(first, 5);
	cr_expect_eq(trace("eee1", &first), 1);
	cr_expect_eq(trace("W47/95gDgQPSabYzgT/GDA==", &first), 3, "base64");
	cr_expect_eq(trace("00-" ONE "-00000000000000a3-01", &first), 1, "a span of it");
	cr_expect_eq(first, 3);
	cr_expect_eq(trace("00-" ONE "-00000000000000ff-01", &first), 3, "none of its spans");
	cr_expect_eq(trace("00-" ONE "-00000000000000a1-01", &first), 1, "the span itself");
	cr_expect_eq(first, 0);
}

Test(find, first_digits_must_mean_one_trace)
{
	uint32_t first;

	fill();
	cr_expect_eq(trace("5b8eff", &first), -ENOENT);
	cr_expect(strstr(err.text, ONE) && strstr(err.text, TWO), "%s", err.text);
	cr_expect_eq(trace("5b8", &first), -ENOENT, "too few");
	cr_expect_eq(trace("not an id", &first), -ENOENT);
	cr_expect(strstr(err.text, "32 hexadecimal digits"), "%s", err.text);
}

Test(find, a_span_of_a_trace)
{
	uint32_t first;

	fill();
	what.span = "A3";
	cr_expect_eq(trace(ONE, &first), 1);
	cr_expect_eq(first, 3);
	what.span = "zz";
	cr_expect_eq(trace(ONE, &first), -ENOENT);
	cr_expect(strstr(err.text, "16 hexadecimal digits"), "%s", err.text);
}

Test(find, by_an_attribute)
{
	uint32_t first;

	fill();
	what.attribute = "payment=4017";
	cr_expect_eq(find(&first), 1);
	cr_expect_eq(first, 3);
	what.attribute = "payment=1";
	cr_expect_eq(find(&first), -ENOENT);
	cr_expect(strstr(err.text, "payment=1") && strstr(err.text, "FILE"), "%s", err.text);
}

Test(find, by_the_incidents_id)
{
	uint32_t first;

	fill();
	what.id = "4017";
	cr_expect_eq(find(&first), 1, "a value");
	cr_expect_eq(first, 3);
	what.id = "5b8efff7";
	cr_expect_eq(find(&first), 1, "a value before the begin of a trace's id");
	cr_expect_eq(first, 4);
	what.id = ONE;
	cr_expect_eq(find(&first), 3);
	what.id = "5b8effaa";
	cr_expect_eq(find(&first), 1);
	cr_expect_eq(first, 4);
	what.id = "5b8e";
	cr_expect_eq(find(&first), -ENOENT, "no id, and no value");
}

/* Spans of one length and begin, of several traces: copies are found among them all the same. */
Test(find, copies_among_others)
{
	uint32_t first;

	what.id = "x";
	what.traces = "FILE";
	what.attribute = "payment=4017";
	for (int i = 0; i < 3; i++) {
		add(ONE, "00000000000000a1", "", 10, &attrs[0]);
		add(TWO, "00000000000000a1", "", 10, &attrs[0]);
	}
	cr_expect_eq(find(&first), 2);
}

Test(find, what_was_left_out_is_said)
{
	uint32_t first;

	what.traces = "FILE";
	what.id = "x";
	t.faults[KP_TF_no_end] = 2;
	t.first[KP_TF_no_end] = (struct kp_trace_place){3, 7, "pay"};
	cr_expect_eq(find(&first), -ENOENT);
	cr_expect(strstr(err.text, "FILE holds no span that can be used"), "%s", err.text);
	cr_expect(strstr(err.text, "2 spans without an end (the first in line 3, byte 7: pay)"),
		  "%s", err.text);
}
