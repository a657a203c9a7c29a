/* SPDX-License-Identifier: MIT
 * The JSON reader: what is JSON, what Node.js prints, and numbers that stay exact.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/json.h"

static struct kp_json read_as(const char *text, enum kp_json_form form)
{
	struct kp_json value = {0};
	struct kp_json_fault fault;

	kp_json_read(text, strlen(text), form, &value, &fault);
	return value;
}

static bool number(const char *text, unsigned decimals, uint64_t *ret)
{
	struct kp_json value = read_as(text, KP_JSON_STRICT);

	return value.text && kp_json_u64(value, decimals, ret);
}

Test(json, numbers)
{
	uint64_t n = 0;

	cr_expect(number("18446744073709551615", 0, &n) && n == UINT64_MAX);
	cr_expect(number("\"9007199254740993\"", 0, &n) && n == 9007199254740993u);
	cr_expect(number("1.7e18", 0, &n) && n == 1700000000000000000u);
	cr_expect(number("1.50e1", 0, &n) && n == 15);
	cr_expect(number("0.000001e+6", 0, &n) && n == 1);
	cr_expect(number("0e99999", 0, &n) && n == 0);
	cr_expect_not(number("18446744073709551616", 0, &n));
	cr_expect_not(number("-1", 0, &n));
	cr_expect_not(number("1.5", 0, &n));
	cr_expect_not(number("\"12x\"", 0, &n));
	cr_expect_not(number("\"\"", 0, &n));
	cr_expect_not(number("\".5\"", 0, &n));
	cr_expect_not(number("\"1e\"", 0, &n));
	cr_expect_not(number("1e999999", 0, &n));
	cr_expect_not(number("true", 0, &n));
}

Test(json, decimals_are_cut_off_exactly)
{
	uint64_t n = 0;

	cr_expect(number("1729181197748657", 3, &n) && n == 1729181197748657000u);
	cr_expect(number("8367.597", 3, &n) && n == 8367597);
	cr_expect(number("0.0019", 3, &n) && n == 1);
	cr_expect(number("1.9e-3", 3, &n) && n == 1);
	cr_expect(number("1e-999999", 3, &n) && n == 0);
	cr_expect_not(number("18446744073709552", 3, &n));
}

static size_t good_until(const char *text, const char **ret_why)
{
	struct kp_json value;
	struct kp_json_fault fault = {SIZE_MAX, ""};

	cr_expect_not(kp_json_read(text, strlen(text), KP_JSON_STRICT, &value, &fault), "%s", text);
	*ret_why = fault.why;
	return fault.at;
}

Test(json, faults_have_a_place_and_a_reason)
{
	static char deep[1000];
	const char *why;

	cr_expect_eq(good_until("[1,]", &why), 3);
	cr_expect_str_eq(why, "a comma behind the last of a list");
	cr_expect_eq(good_until("{\"a\":[1,2", &why), 9);
	cr_expect_str_eq(why, "it ends too early");
	cr_expect_eq(good_until("{\"a", &why), 3);
	cr_expect_str_eq(why, "it ends too early");
	cr_expect_eq(good_until("[tru", &why), 4);
	cr_expect_str_eq(why, "it ends too early");
	cr_expect_eq(good_until("{a:1}", &why), 1);
	cr_expect_str_eq(why, "an object's member without a name");
	cr_expect_eq(good_until("[\"\\x\"]", &why), 2);
	cr_expect_str_eq(why, "a bad escape in a string");
	cr_expect_eq(good_until("[\"\\u00g0\"]", &why), 2);
	cr_expect_eq(good_until("[01]", &why), 2);
	cr_expect_eq(good_until("[\"a\nb\"]", &why), 3);
	memset(deep, '[', sizeof(deep) - 1);
	cr_expect_eq(good_until(deep, &why), KP_JSON_DEPTH_MAX);
	cr_expect_str_eq(why, "nested too deeply");
}

static void expect_text(struct kp_json value, const char *wanted)
{
	struct kp_buf text = {0};

	cr_expect(kp_json_text(value, &text));
	kp_buf_putc(&text, '\0');
	cr_expect_str_eq(text.data, wanted);
	kp_buf_done(&text);
}

Test(json, strings)
{
	expect_text(read_as("\"a\\u00e9\\ud83d\\ude00\\n\\/\"", KP_JSON_STRICT),
		    "a\xc3\xa9\xf0\x9f\x98\x80\n/");
	expect_text(read_as("\"\\ud83dx\"", KP_JSON_STRICT), "\xef\xbf\xbdx");
	expect_text(read_as("'it\\'s' + \"\\\"so\\\"\" +\n `\\`` ", KP_JSON_LOOSE), "it's\"so\"`");
	expect_text(read_as("'abc'... 9 more characters", KP_JSON_LOOSE), "abc");
}

Test(json, members)
{
	static const char *const names[] = {"traceid", "gone", "null", "list"};
	struct kp_json object = read_as("{\"trace_id\":\"x\",\"traceID\":\"y\",\"null\":null,"
					"\"List\":[1,{},[]]}",
					KP_JSON_STRICT);
	struct kp_json m[4];
	struct kp_json_iter iter;
	unsigned n = 0;

	kp_json_pick(object, names, m, 4);
	expect_text(m[0], "x");
	cr_expect_null(m[1].text);
	cr_expect_null(m[2].text, "as if it were not there");
	for (iter = kp_json_each(m[3]); kp_json_next(&iter); n++)
		cr_expect_eq(kp_json_type(iter.value), n == 0   ? KP_JSON_NUMBER
						       : n == 1 ? KP_JSON_OBJECT
								: KP_JSON_ARRAY);
	cr_expect_eq(n, 3);
	cr_expect_null(kp_json_get(m[3], "a").text, "not an object");
	cr_expect_null(kp_json_get(m[1], "a").text, "nothing");
}

Test(json, what_nodejs_prints)
{
	static const char text[] =
		"<ref *1> Span {\n"
		"  id: 'a',\n"
		"  'b.c': [ 1, 2, ... 50 more items ],\n"
		"  d: undefined, e: -1.5, f: 10n, g: [Object], h: Map(1) { x: 1 },\n"
		"  i: [Object: null prototype] { y: 'z' }, j: 2026-11-26T01:19:00.516Z,\n"
		"  k: [Circular *1], [Symbol(l)]: 1, m: [Function: m], n: [ <3 empty items> ]\n"
		"}";
	struct kp_json object = read_as(text, KP_JSON_LOOSE);
	uint64_t n = 0;

	cr_assert_eq(kp_json_type(object), KP_JSON_OBJECT);
	expect_text(kp_json_get(object, "id"), "a");
	cr_expect_eq(kp_json_type(kp_json_get(object, "b.c")), KP_JSON_ARRAY);
	cr_expect_null(kp_json_get(object, "d").text, "undefined is none");
	cr_expect(kp_json_u64(kp_json_get(kp_json_get(object, "h"), "x"), 0, &n) && n == 1);
	expect_text(kp_json_get(kp_json_get(object, "i"), "y"), "z");
	cr_expect_eq(kp_json_type(kp_json_get(object, "n")), KP_JSON_ARRAY);
	cr_expect_null(read_as("{ 'a' => 1 }", KP_JSON_LOOSE).text);
	cr_expect_null(read_as("{ a: 'x' + y }", KP_JSON_LOOSE).text);
}

Test(json, a_sum_of_many_strings_needs_no_stack)
{
	size_t parts = 200000;
	char *text = malloc(4 * parts + 1);
	struct kp_json value;
	struct kp_json_fault fault;

	for (size_t i = 0; i < parts; i++)
		memcpy(text + 4 * i, i + 1 < parts ? "''+ " : "''  ", 4);
	cr_expect(kp_json_read(text, 4 * parts, KP_JSON_LOOSE, &value, &fault));
	free(text);
}
