/* SPDX-License-Identifier: MIT
 * Foreign text as a terminal gets it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *in, *shown;
} rows[] = {
	{"nginx: worker", "nginx: worker"},
	{"a\\b\"c", "a\\b\"c"},
	{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
	{"\033]0;owned\a", "\\x1b]0;owned\\x07"},
	{"\033[2J\033[1;31mred", "\\x1b[2J\\x1b[1;31mred"},
	{"one\ntwo\rthree\tfour", "one\\ntwo\\rthree\\tfour"},
	{"\x7f\x08", "\\x7f\\x08"},
	{"\x9b"
	 "2J",
	 "\\x9b2J"},                                            /* C1 as a byte … */
	{"\xc2\x9b", "\\u009b"},                                /* … and as a character */
	{"\xc3", "\\xc3"},                                      /* cut */
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},                    /* surrogate */
	{"\xc0\xaf", "\\xc0\\xaf"},                             /* overlong */
	{"gpj\xe2\x80\xaetxt.exe", "gpj\\u202etxt.exe"},        /* right-to-left override */
	{"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"},       /* isolates */
	{"pay\xe2\x80\x8bpal", "pay\\u200bpal"},                /* zero-width space */
	{"\xef\xbb\xbf", "\\ufeff"},                            /* byte order mark */
	{"\xe2\x80\xa8", "\\u2028"},                            /* line separator */
	{"\xf3\xa0\x81\x81", "\\U000e0041"},                    /* a tag */
	{"\xef\xbf\xbf\xf4\x8f\xbf\xbe", "\\uffff\\U0010fffe"}, /* noncharacters */
};

#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))

Test(text, what_a_terminal_would_obey_is_an_escape)
{
	struct kp_buf out = {0};

	for (size_t i = 0; i < ROW_CNT; i++) {
		kp_buf_reset(&out);
		kp_text_puts(&out, rows[i].in);
		cr_expect_str_eq(out.data, rows[i].shown, "row %zu: %s", i, out.data);
	}
	kp_buf_reset(&out);
	kp_text_append(&out, "a\0b", 3);
	cr_expect_str_eq(out.data, "a\\x00b");
	kp_buf_done(&out);
}

Test(text, escaped_text_passes_unchanged)
{
	struct kp_buf out = {0};

	for (size_t i = 0; i < ROW_CNT; i++) {
		kp_buf_reset(&out);
		kp_text_puts(&out, rows[i].shown);
		cr_expect_str_eq(out.data, rows[i].shown, "row %zu", i);
	}
	kp_buf_done(&out);
}

Test(text, lines_keep_newlines_and_colours_if_asked)
{
	static const char text[] = "\033[1mbold\033[0m\nx\033[2Jy\033]0;t\a\033[";
	struct kp_buf out = {0};

	kp_text_lines(&out, text, strlen(text), true);
	cr_expect_str_eq(out.data, "\033[1mbold\033[0m\nx\\x1b[2Jy\\x1b]0;t\\x07\\x1b[");
	kp_buf_reset(&out);
	kp_text_lines(&out, text, strlen(text), false);
	cr_expect_str_eq(out.data, "\\x1b[1mbold\\x1b[0m\nx\\x1b[2Jy\\x1b]0;t\\x07\\x1b[");
	kp_buf_done(&out);
}

Test(text, quotes_and_backslashes_are_escaped_in_quotes)
{
	static const char text[] = "a\"b\\c\n\033";
	struct kp_buf out = {0};

	kp_text_quote(&out, text, strlen(text));
	cr_expect_str_eq(out.data, "\"a\\\"b\\\\c\\n\\x1b\"");
	kp_buf_done(&out);
}

/* Whatever the bytes, what comes out is valid UTF-8 without controls. */
Test(text, random_bytes_never_get_through)
{
	struct kp_buf out = {0};
	char bytes[64];

	srand(7);
	for (int round = 0; round < 20000; round++) {
		kp_buf_reset(&out);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(rand() % 3 ? rand() | 0x80 : rand());
		kp_text_lines(&out, bytes, sizeof(bytes), round & 1);
		kp_text_quote(&out, bytes, sizeof(bytes));
		kp_buf_json(&out, bytes, sizeof(bytes));
		for (size_t i = 0, n; i < out.len; i += n ? n : 1) {
			n = kp_text_plain(out.data + i, out.len - i);
			cr_assert(n || out.data[i] == '\n' || (round & 1 && out.data[i] == '\033'));
		}
	}
	kp_buf_done(&out);
}
