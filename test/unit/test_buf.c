/* SPDX-License-Identifier: MIT
 * kp_buf: growth, formats, JSON strings and their UTF-8.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"

static const char *json(struct kp_buf *buf, const char *text, size_t len)
{
	kp_buf_reset(buf);
	kp_buf_json(buf, text, len);
	return buf->data;
}

Test(buf, grows_over_any_length)
{
	struct kp_buf buf = {0};
	char piece[97];

	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 1000; i++)
		kp_buf_append(&buf, piece, i % 98);
	cr_assert_not(buf.failed);
	cr_assert_eq(strlen(buf.data), buf.len);
	cr_assert_eq(strspn(buf.data, "x"), buf.len);
	kp_buf_done(&buf);
	cr_assert_null(buf.data);
}

Test(buf, reserve_keeps_a_place_for_the_nul)
{
	struct kp_buf buf = {0};

	for (size_t len = 250; len < 260; len++) {
		cr_assert_not_null(kp_buf_reserve(&buf, len));
		cr_assert_gt(buf.cap, len);
		kp_buf_done(&buf);
	}
}

Test(buf, remembers_that_memory_ran_out)
{
	struct kp_buf buf = {0};

	kp_buf_puts(&buf, "a");
	cr_assert_null(kp_buf_reserve(&buf, (size_t)-1 / 2));
	cr_assert(buf.failed);
	kp_buf_puts(&buf, "b");
	cr_assert_str_eq(buf.data, "a");
	kp_buf_reset(&buf);
	kp_buf_puts(&buf, "c");
	cr_assert_str_eq(buf.data, "c");
	kp_buf_done(&buf);
}

Test(buf, printf_appends_whatever_its_length)
{
	struct kp_buf buf = {0};

	kp_buf_printf(&buf, "%d-%s", 7, "x");
	kp_buf_printf(&buf, "%600d", 1);
	cr_assert_eq(buf.len, 603);
	cr_assert_eq(strncmp(buf.data, "7-x  ", 5), 0);
	kp_buf_done(&buf);
}

Test(buf, json_escapes)
{
	struct kp_buf buf = {0};

	cr_assert_str_eq(json(&buf, "a\"b\\c\n\x7f", 7), "\"a\\\"b\\\\c\\u000a\\u007f\"");
	cr_assert_str_eq(json(&buf, "\0x", 2), "\"\\u0000x\"");
	cr_assert_str_eq(json(&buf, "", 0), "\"\"");
	kp_buf_done(&buf);
}

Test(buf, json_keeps_utf8_and_replaces_the_rest)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"\xc3\xa9", "\"\xc3\xa9\""},
		{"\xe2\x82\xac", "\"\xe2\x82\xac\""},
		{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
		{"\xf4\x8f\xbf\xbd", "\"\xf4\x8f\xbf\xbd\""},
		{"\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\""}, /* a noncharacter */
		{"\xe2\x80\xae", "\"\\u202e\""},            /* turns the direction */
		{"\xc2\x9b", "\"\\u009b\""},
		{"\xc3", "\"\\ufffd\""},                       /* cut */
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* overlong */
		{"\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\""}, /* overlong */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
		{"\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
		{"\xff"
		 "a",
		 "\"\\ufffda\""},
	};
	struct kp_buf buf = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(json(&buf, rows[i].in, strlen(rows[i].in)), rows[i].out, "row %zu",
				 i);
	kp_buf_done(&buf);
}
