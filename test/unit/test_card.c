/* SPDX-License-Identifier: MIT
 * Card numbers: what is one, what is not, and what is left of it. The numbers are those that
 * networks and payment services publish for tests; no card has them.
 */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/card.h"

static const struct {
	const char *in, *masked;
} rows[] = {
	/* networks and lengths */
	{"4111111111111111", "411111******1111"},
	{"4222222222222", "422222***2222"},
	{"4012888888881881", "401288******1881"},
	{"4000000000000000006", "400000*********0006"},
	{"5555555555554444", "555555******4444"},
	{"5105105105105100", "510510******5100"},
	{"2223003122003222", "222300******3222"},
	{"378282246310005", "378282*****0005"},
	{"371449635398431", "371449*****8431"},
	{"30569309025904", "305693****5904"},
	{"38520000023237", "385200****3237"},
	{"6011111111111117", "601111******1117"},
	{"6011000990139424", "601100******9424"},
	{"3530111333300000", "353011******0000"},
	{"6200000000000005", "620000******0005"},
	{"6205500000000000004", "620550*********0004"},
	{"6759649826438453", "675964******8453"},
	/* groups */
	{"4111 1111 1111 1111", "4111 11** **** 1111"},
	{"4111-1111-1111-1111", "4111-11**-****-1111"},
	{"4111+1111+1111+1111", "4111+11**+****+1111"},
	{"4111%201111%201111%201111", "4111%2011**%20****%201111"},
	{"3782 822463 10005", "3782 82**** *0005"},
	{"3056 930902 5904", "3056 93**** 5904"},
	{"4222 222 222 222", "4222 22* **2 222"},
	{"6205 5000 0000 0000 004", "6205 50** **** ***0 004"},
	{"4111 1111 1111 1111 12/27 737", "4111 11** **** 1111 12/27 737"},
	{"12 4111 1111 1111 1111", "12 4111 11** **** 1111"},
	/* what stands around it */
	{"card=4111111111111111&cvc=1", "card=411111******1111&cvc=1"},
	{"{\"pan\":\"4111111111111111\"}", "{\"pan\":\"411111******1111\"}"},
	{"{\"pan\":4111111111111111}", "{\"pan\":411111******1111}"},
	{"%22pan%22%3A%224111111111111111%22", "%22pan%22%3A%22411111******1111%22"},
	{"%3D4111111111111111", "%3D411111******1111"},
	{"%A04111111111111111", "%A0411111******1111"},
	{"%4111111111111111", "%411111******1111"},
	{"/spool/card4111111111111111.txt", "/spool/card411111******1111.txt"},
	{"4111111111111111,5555555555554444", "411111******1111,555555******4444"},
	{"4111111111111111 5555555555554444", "411111******1111 555555******4444"},
};

/* Times, ids, addresses, hashes, numbers that no issuer gives or with another check digit. */
static const char *const others[] = {
	"",
	"4111111111111112",
	"4111111111111",
	"411111111111111",
	"44111111111111111",
	"41111111111111110",
	"9111111111111111",
	"1732700000123",
	"1732700000123456",
	"1732700000123456789",
	"1795000000000000000",
	"2026-11-27T12:00:00.123456789Z",
	"20261127120000123",
	"4111  1111  1111  1111",
	"4111 1111-1111 1111",
	"41 11 11 11 11 11 11 11",
	"411 11111 1111 1111",
	"4111.1111.1111.1111",
	"4111_1111_1111_1111",
	"cpu0 4111 111 1111 1111 1111 0",
	"socket:[4026531840]",
	"00000000000000000000000000000000",
	"0x4111111111111111222233334444",
	"d41d8cd98f00b204e9800998ecf8427e",
	"a4111111111111111bcdef0123456789",
	"4111111111111111aaaaaaaaaaaaaaaa",
	"550e8400-e29b-41d4-a716-446655440000",
	"10.244.131.141:41111",
	"411111******1111",
};

#define CNT(table) (sizeof(table) / sizeof((table)[0]))

Test(card, numbers_are_masked_but_their_first_six_and_last_four_digits)
{
	char text[128];
	size_t cnt, want;

	for (size_t i = 0; i < CNT(rows); i++) {
		strcpy(text, rows[i].in);
		cnt = kp_card_mask((unsigned char *)text, strlen(text), 0);
		cr_expect_str_eq(text, rows[i].masked, "%s: %s", rows[i].in, text);
		want = 0;
		for (size_t k = 0; rows[i].in[k]; k++)
			want += rows[i].in[k] != rows[i].masked[k];
		cr_expect_eq(cnt, want, "%s: %zu", rows[i].in, cnt);
		cr_expect_eq(kp_card_mask((unsigned char *)text, strlen(text), 0), 0, "again: %s",
			     text);
	}
}

Test(card, what_is_no_number_stays)
{
	char text[128];

	for (size_t i = 0; i < CNT(others); i++) {
		strcpy(text, others[i]);
		cr_expect_eq(kp_card_mask((unsigned char *)text, strlen(text), 0), 0);
		cr_expect_str_eq(text, others[i]);
	}
}

/* Each range's ends have numbers, and what lies beside it has not. */
Test(card, an_issuers_range_ends_where_the_table_says)
{
	static const struct {
		const char *first;
		size_t len;
		bool is_one;
	} ranges[] = {
		{"222099", 16, false}, {"222100", 16, true},  {"272099", 16, true},
		{"272100", 16, false}, {"340000", 15, true},  {"340000", 16, false},
		{"349999", 15, true},  {"350000", 16, false}, {"352799", 16, false},
		{"352800", 16, true},  {"358999", 16, true},  {"359000", 16, false},
		{"400000", 13, true},  {"400000", 14, false}, {"400000", 17, false},
		{"499999", 19, true},  {"510000", 15, false}, {"559999", 16, true},
		{"620000", 15, false}, {"699999", 13, true},  {"700000", 16, false},
		{"809999", 16, false}, {"810000", 16, true},  {"830000", 16, false},
	};
	unsigned char text[KP_CARD_LEN_MAX];

	for (size_t i = 0; i < CNT(ranges); i++) {
		size_t hit_cnt = 0;

		memset(text, '0', sizeof(text));
		memcpy(text, ranges[i].first, 6);
		for (int digit = '0'; digit <= '9'; digit++) {
			unsigned char copy[KP_CARD_LEN_MAX];

			memcpy(copy, text, sizeof(copy));
			copy[ranges[i].len - 1] = (unsigned char)digit;
			hit_cnt += kp_card_mask(copy, ranges[i].len, 0) > 0;
		}
		cr_expect_eq(hit_cnt, ranges[i].is_one, "%s, %zu digits: %zu check digits",
			     ranges[i].first, ranges[i].len, hit_cnt);
	}
}

/* In two bytes a character, with the zero before or behind, and text of one byte around it. */
Test(card, two_bytes_a_character)
{
	static const char *const texts[] = {"4111111111111111", "4111 1111 1111 1111",
					    "pan: 378282246310005;"};

	for (size_t i = 0; i < CNT(texts); i++)
		for (unsigned order = 0; order < 2; order++) {
			unsigned char narrow[64], wide[160] = "xyz";
			size_t len = strlen(texts[i]);

			memcpy(narrow, texts[i], len);
			kp_card_mask(narrow, len, 0);
			for (size_t k = 0; k < len; k++) {
				wide[3 + 2 * k + order] = (unsigned char)texts[i][k];
				wide[3 + 2 * k + !order] = 0;
			}
			kp_card_mask(wide, 3 + 2 * len, 0);
			for (size_t k = 0; k < len; k++)
				cr_expect_eq(wide[3 + 2 * k + order], narrow[k], "%s, %u: %zu",
					     texts[i], order, k);
		}
}

/* --- pieces --- */

Test(card, a_number_in_two_pieces_is_in_neither)
{
	char whole[128];

	for (size_t i = 0; i < CNT(rows); i++) {
		size_t len = (size_t)snprintf(whole, sizeof(whole), "<%s>", rows[i].in);

		for (size_t split = 0; split <= len; split++) {
			struct kp_card_stream stream = {0};
			unsigned char text[128] = "";

			memcpy(text, whole, len);
			kp_card_mask_next(&stream, text, split, KP_CARD_CUT_END);
			kp_card_mask_next(&stream, text + split, len - split, KP_CARD_CUT_END);
			for (size_t k = 0; rows[i].masked[k]; k++)
				cr_expect(rows[i].masked[k] != KP_CARD_MASK ||
						  text[1 + k] == KP_CARD_MASK,
					  "%s split at %zu: %s", whole, split, text);
		}
	}
}

Test(card, a_number_byte_by_byte_is_not_there)
{
	struct kp_card_stream stream = {0};
	unsigned char text[] = "to 4111 1111 1111 1111, please";

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		kp_card_mask_next(&stream, text + i, 1, KP_CARD_CUT_END);
	cr_expect_str_eq((char *)text, "to 4111 11** **** ****, please");
}

Test(card, what_went_before_may_belong_to_something_else)
{
	struct kp_card_stream stream = {0};
	unsigned char before[] = "id 77", text[] = "4111111111111111\n";

	kp_card_mask_next(&stream, before, 5, KP_CARD_CUT_END);
	kp_card_mask_next(&stream, text, 17, KP_CARD_CUT_END);
	cr_expect_str_eq((char *)text, "411111******1111\n");
	cr_expect_str_eq((char *)before, "id 77");
}

Test(card, at_a_cut_what_may_be_part_of_one_is_masked)
{
	static const struct {
		const char *in, *masked;
		unsigned cut;
	} cuts[] = {
		{"x 41111111", "x 411111**", KP_CARD_CUT_END},
		{"x 4111 1111 1", "x 4111 11** *", KP_CARD_CUT_END},
		{"x 4111-1111-", "x 4111-11**-", KP_CARD_CUT_END},
		{"x 411111", "x 411111", KP_CARD_CUT_END},
		{"x 17327000", "x 17327000", KP_CARD_CUT_END},
		{"x 41111111 ", "x 41111111 ", KP_CARD_CUT_END},
		{"x 5555555555554445", "x 5555555555554445", KP_CARD_CUT_END},
		{"11111111 x", "****1111 x", KP_CARD_CUT_BEGIN},
		{"11 1111 1111 x", "** **** 1111 x", KP_CARD_CUT_BEGIN},
		{" 1111 1111 x", " **** 1111 x", KP_CARD_CUT_BEGIN},
		{"1111 x", "1111 x", KP_CARD_CUT_BEGIN},
		{"1111111111111111111 x", "1111111111111111111 x", KP_CARD_CUT_BEGIN},
		{"11111111", "********", KP_CARD_CUT_BEGIN | KP_CARD_CUT_END},
		{"11111111", "11111111", 0},
	};
	char text[64];

	for (size_t i = 0; i < CNT(cuts); i++) {
		strcpy(text, cuts[i].in);
		kp_card_mask((unsigned char *)text, strlen(text), cuts[i].cut);
		cr_expect_str_eq(text, cuts[i].masked, "%s: %s", cuts[i].in, text);
	}
}

/* --- properties, of bytes as an attacker would choose them --- */

#define TEXT_LEN 400
#define ROUNDS 20000

/* Pieces of numbers, separators, zeros and whatever, with more of what matters than chance gives.
 */
static void make(unsigned char text[TEXT_LEN], unsigned *seed)
{
	static const char *const words[] = {"4",
					    "41",
					    "4111",
					    "1111",
					    "411111111111111",
					    "4111111111111111",
					    "378282246310005",
					    "822463",
					    "10005",
					    "5555555555554444",
					    " ",
					    "-",
					    "+",
					    "%20",
					    "%",
					    "%2",
					    "x",
					    "f",
					    "*",
					    "0",
					    "00000000",
					    "4242424242424242",
					    "222",
					    "%A0",
					    "6205500000000000004"};
	bool is_wide = rand_r(seed) % 4 == 0;
	const char *word;

	memset(text, 0, TEXT_LEN);
	for (size_t at = 0; at < TEXT_LEN;) {
		if (rand_r(seed) % 64 == 0)
			is_wide = !is_wide;
		word = words[(unsigned)rand_r(seed) % CNT(words)];
		for (; *word && at < TEXT_LEN; word++) {
			text[at++] = (unsigned char)*word;
			at += is_wide;
		}
		if (rand_r(seed) % 16 == 0 && at < TEXT_LEN)
			text[at++] = (unsigned char)rand_r(seed);
	}
}

Test(card, a_part_is_masked_as_the_whole_is)
{
	unsigned char text[TEXT_LEN], whole[TEXT_LEN], part[TEXT_LEN];
	size_t from, to, begin, end, cnt, want, hit_cnt = 0;
	unsigned seed = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		make(text, &seed);
		memcpy(whole, text, TEXT_LEN);
		hit_cnt += kp_card_mask(whole, TEXT_LEN, 0) > 0;
		from = (size_t)rand_r(&seed) % TEXT_LEN;
		to = from + (size_t)rand_r(&seed) % (TEXT_LEN - from);
		begin = from > KP_CARD_REACH ? from - KP_CARD_REACH : 0;
		end = to + KP_CARD_REACH < TEXT_LEN ? to + KP_CARD_REACH : TEXT_LEN;
		memcpy(part, text, TEXT_LEN);
		cnt = kp_card_mask_part(part + begin, end - begin, from - begin, to - begin, 0);
		want = 0;
		for (size_t i = from; i < to; i++)
			want += whole[i] != text[i];
		cr_assert_eq(cnt, want, "round %u", round);
		cr_assert(!memcmp(part + from, whole + from, to - from), "round %u", round);
		cr_assert(!memcmp(part, text, from) && !memcmp(part + to, text + to, TEXT_LEN - to),
			  "round %u", round);
	}
	cr_expect_gt(hit_cnt, ROUNDS / 4); /* it is about something */
}

Test(card, in_pieces_nothing_is_shown_that_is_not_as_a_whole)
{
	unsigned char text[TEXT_LEN], whole[TEXT_LEN], pieces[TEXT_LEN];
	unsigned seed = 2;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kp_card_stream stream = {0};
		size_t changed = 0, cnt = 0, n;

		make(text, &seed);
		memcpy(whole, text, TEXT_LEN);
		kp_card_mask(whole, TEXT_LEN, 0);
		memcpy(pieces, text, TEXT_LEN);
		for (size_t at = 0; at < TEXT_LEN; at += n) {
			n = 1 + (size_t)rand_r(&seed) % (round % 2 ? 12 : 200);
			n = n < TEXT_LEN - at ? n : TEXT_LEN - at;
			cnt += kp_card_mask_next(&stream, pieces + at, n, KP_CARD_CUT_END);
		}
		for (size_t i = 0; i < TEXT_LEN; i++) {
			changed += pieces[i] != text[i];
			cr_assert(whole[i] == text[i] || pieces[i] == KP_CARD_MASK,
				  "round %u: byte %zu", round, i);
			cr_assert(pieces[i] == text[i] || (text[i] >= '0' && text[i] <= '9'),
				  "round %u: byte %zu was no digit", round, i);
		}
		cr_assert_eq(cnt, changed, "round %u", round);
	}
}
