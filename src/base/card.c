/* SPDX-License-Identifier: MIT
 *
 * Finding and masking card numbers; see card.h.
 *
 * Each number begins with four digits in a row: vector instructions look for those, sixteen bytes
 * at a time, and all else looks at a few dozen bytes from there. What is masked is written only
 * when the search is KP_CARD_REACH bytes farther: it looks at what was there, so that the result
 * does not depend on where it began.
 */
#include "base/card.h"

#include <emmintrin.h>
#include <stdbool.h>
#include <string.h>

#define SHOWN_FIRST 6
#define SHOWN_LAST 4
#define LEN_MIN 13
#define REST_MIN (SHOWN_LAST + 1) /* digits of a number's end that are worth masking */
#define HASH_LEN 32               /* hexadecimal digits in a row */
#define GROUP_MAX 5
#define VECTOR 16

/* Lengths as bits. */
#define ONLY(n) (1u << (n))
#define FROM_TO(a, b) ((2u << (b)) - (1u << (a)))

/*
 * Which numbers issuers give, by their first six digits: ISO/IEC 7812-1 gives ranges to networks,
 * which publish theirs (Mastercard: "Account range", Visa: "Core rules", UnionPay, JCB, …). Not in
 * it are those that begin with 1 (UATP), as times in microseconds and nanoseconds do.
 */
const struct kp_card_issuer kp_card_issuers[] = {
	{180000, 180099, ONLY(15), "JCB, old"},
	{213100, 213199, ONLY(15), "JCB, old"},
	{220000, 220499, FROM_TO(16, 19), "Mir"},
	{220500, 220599, ONLY(16), "BORICA"},
	{222100, 272099, ONLY(16), "Mastercard"},
	{300000, 305999, FROM_TO(14, 19), "Diners Club"},
	{309500, 309599, FROM_TO(14, 19), "Diners Club"},
	{340000, 349999, ONLY(15), "American Express"},
	{352800, 358999, FROM_TO(16, 19), "JCB, RuPay"},
	{360000, 369999, FROM_TO(14, 19), "Diners Club"},
	{370000, 379999, ONLY(15), "American Express"},
	{380000, 399999, FROM_TO(14, 19), "Diners Club"},
	{400000, 499999, ONLY(13) | ONLY(16) | ONLY(18) | ONLY(19), "Visa, Elo"},
	{500000, 509999, FROM_TO(13, 19), "Maestro, Elo, Verve"},
	{510000, 559999, ONLY(16), "Mastercard"},
	{560000, 599999, FROM_TO(13, 19), "Maestro"},
	{600000, 601099, FROM_TO(13, 19), "Maestro, RuPay"},
	{601100, 601199, FROM_TO(16, 19), "Discover"},
	{601200, 619999, FROM_TO(13, 19), "Maestro, Hipercard"},
	{620000, 629999, FROM_TO(16, 19), "UnionPay"},
	{630000, 643999, FROM_TO(13, 19), "Maestro, InterPayment"},
	{644000, 659999, FROM_TO(16, 19), "Discover, RuPay, Elo"},
	{660000, 699999, FROM_TO(13, 19), "Maestro"},
	{810000, 829999, FROM_TO(16, 19), "UnionPay, RuPay"},
	{860000, 860099, ONLY(16), "UzCard"},
	{970400, 970499, ONLY(16) | ONLY(19), "NAPAS"},
	{979200, 979299, ONLY(16), "Troy"},
	{986000, 986099, ONLY(16), "HUMO"},
};
const size_t kp_card_issuer_cnt = sizeof(kp_card_issuers) / sizeof(*kp_card_issuers);

/* Digits of the groups in which numbers are printed; a single group has any length. */
static const uint8_t layouts[][GROUP_MAX] = {
	{4, 4, 4, 4}, {4, 4, 4, 4, 1}, {4, 4, 4, 4, 2}, {4, 4, 4, 4, 3}, {4, 6, 5},
	{4, 6, 4},    {4, 4, 5},       {4, 3, 3, 3},    {6, 13},
};
#define LAYOUT_CNT (sizeof(layouts) / sizeof(*layouts))

/* No two begin alike. */
static const char *const separators[] = {" ", "-", "+", "%20"};
#define SEPARATOR_CNT (sizeof(separators) / sizeof(*separators))

#define MARK_WORDS 4 /* 256 bytes: more than what is marked lies apart from what is settled */

struct search {
	unsigned char *data;
	size_t len, from, to;
	unsigned cut;
	size_t settled;             /* bytes before this are as they will be; a multiple of 64 */
	uint64_t marks[MARK_WORDS]; /* which of those behind are to be masked */
	size_t cnt;                 /* masked */
};

/* Characters of one or two bytes, from a place on. */
struct view {
	const unsigned char *data;
	size_t len, at;
	unsigned step;
};
enum { END = -1, OTHER = -2 };

/* Digits that may be a number, as far as they go. */
struct number {
	uint8_t at[KP_CARD_LEN_MAX + 1]; /* which character each is */
	uint8_t cnt;
	uint8_t groups[GROUP_MAX];
	uint8_t group_cnt;
	bool is_at_end; /* no other character stands behind it */
};

/* --- characters --- */

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Character i from the view's begin; those up to it must have been looked at. */
static int get(const struct view *v, int i)
{
	ptrdiff_t at = (ptrdiff_t)v->at + i * (ptrdiff_t)v->step;

	if (at < 0 || at >= (ptrdiff_t)v->len)
		return END;
	if (v->step > 1 && i && v->data[i > 0 ? at - 1 : at + 1])
		return OTHER;
	return v->data[at];
}

/* Characters of the separator at i; 0: none is there; END: the bytes end within. */
static int get_separator(const struct view *v, int i, unsigned *ret_which)
{
	int first = get(v, i), k = 1;
	unsigned w = 0;

	while (w < SEPARATOR_CNT && separators[w][0] != first)
		w++;
	if (w == SEPARATOR_CNT)
		return first == END ? END : 0;
	*ret_which = w;
	while (separators[w][k] && get(v, i + k) == separators[w][k])
		k++;
	if (!separators[w][k])
		return k;
	return get(v, i + k) == END ? END : 0;
}

/* --- what is to be masked --- */

static void settle_word(struct search *s)
{
	uint64_t *word = &s->marks[s->settled / 64 % MARK_WORDS];
	size_t at;

	for (; *word; *word &= *word - 1) {
		at = s->settled + (size_t)__builtin_ctzll(*word);
		if (at < s->from || at >= s->to)
			continue;
		s->data[at] = KP_CARD_MASK;
		s->cnt++;
	}
	s->settled += 64;
}

/* Nothing before `until` matters any more. */
static void settle(struct search *s, size_t until)
{
	for (unsigned i = 0; i < MARK_WORDS && s->settled + 64 <= until; i++)
		settle_word(s);
	if (s->settled + 64 <= until)
		s->settled = until / 64 * 64;
}

/* Marks the number's digits from number `first` up to `end`. */
static void mark(struct search *s, const struct view *v, const struct number *n, int first, int end)
{
	size_t at;

	for (int i = first; i < end; i++) {
		at = v->at + (size_t)n->at[i] * v->step;
		s->marks[at / 64 % MARK_WORDS] |= 1ull << at % 64;
	}
}

/* --- numbers --- */

static uint32_t value_of(const struct view *v, const struct number *n, int i)
{
	return (uint32_t)(v->data[v->at + (size_t)n->at[i] * v->step] - '0');
}

/* The lengths that numbers with these first six digits have, as bits. */
static uint32_t lens_of(const struct view *v, const struct number *n)
{
	uint32_t first = 0, lens = 0;

	for (int i = 0; i < SHOWN_FIRST; i++)
		first = first * 10 + value_of(v, n, i);
	for (size_t i = 0; i < kp_card_issuer_cnt; i++)
		if (first >= kp_card_issuers[i].from && first <= kp_card_issuers[i].to)
			lens |= kp_card_issuers[i].lens;
	return lens;
}

/* ISO/IEC 7812-1, annex B. */
static bool has_check_digit(const struct view *v, const struct number *n)
{
	uint32_t sum = 0, value;

	for (int i = n->cnt - 1, twice = 0; i >= 0; i--, twice = !twice) {
		value = value_of(v, n, i) << twice;
		sum += value > 9 ? value - 9 : value;
	}
	return sum % 10 == 0;
}

/* Whether a layout has these groups, the last one if `open` or more: at its begin, or, if `whole`,
 * altogether. */
static bool fits_layout(const struct number *n, bool whole, bool open)
{
	unsigned cnt = n->group_cnt, last = cnt - 1;

	if (cnt == 1 && (whole || open))
		return true;
	for (size_t i = 0; i < LAYOUT_CNT; i++) {
		if (memcmp(layouts[i], n->groups, last) != 0 || layouts[i][last] < n->groups[last])
			continue;
		if (!open && layouts[i][last] != n->groups[last])
			continue;
		if (!whole || cnt == GROUP_MAX || !layouts[i][cnt])
			return true;
	}
	return false;
}

static bool is_in_hash(const struct view *v, const struct number *n)
{
	int before = 0, behind = 0;

	if (v->step > 1 || n->group_cnt > 1)
		return false;
	while (before < HASH_LEN && is_hex(get(v, -1 - before)))
		before++;
	while (behind < HASH_LEN && is_hex(get(v, n->cnt + behind)))
		behind++;
	return before + n->cnt + behind >= HASH_LEN;
}

static bool is_number(const struct view *v, const struct number *n)
{
	return n->cnt <= KP_CARD_LEN_MAX && n->cnt >= LEN_MIN && fits_layout(n, true, false) &&
	       lens_of(v, n) & ONLY(n->cnt) && has_check_digit(v, n) && !is_in_hash(v, n);
}

/* Whether the number, which stands at the end, may go on behind it. */
static bool may_go_on(const struct view *v, const struct number *n)
{
	return n->cnt > SHOWN_FIRST && n->cnt <= KP_CARD_LEN_MAX && fits_layout(n, false, true) &&
	       lens_of(v, n) >> (n->cnt + 1);
}

/* Takes the digits from character i on as a group; the character behind them. */
static int take_group(const struct view *v, int i, struct number *n)
{
	uint8_t len = 0;

	for (; is_digit(get(v, i)) && n->cnt <= KP_CARD_LEN_MAX; i++, len++)
		n->at[n->cnt++] = (uint8_t)i;
	n->groups[n->group_cnt++] = len;
	n->is_at_end = get(v, i) == END;
	return i;
}

/* Marks the numbers that begin with the view, whichever groups they have. */
static void try_number(struct search *s, const struct view *v)
{
	struct number n = {.cnt = 0};
	unsigned kind = SEPARATOR_CNT, next_kind = 0;
	int i = 0, len;

	for (;;) {
		i = take_group(v, i, &n);
		if (is_digit(get(v, i)))
			return; /* too many */
		if (is_number(v, &n))
			mark(s, v, &n, SHOWN_FIRST, n.cnt - SHOWN_LAST);
		len = get_separator(v, i, &next_kind);
		if (len < 0 || n.is_at_end)
			break;
		if (len == 0 || (kind != SEPARATOR_CNT && kind != next_kind) ||
		    n.group_cnt == GROUP_MAX || !fits_layout(&n, false, false))
			return;
		kind = next_kind;
		i += len;
		if (get(v, i) == END)
			break;
		if (!is_digit(get(v, i)))
			return;
	}
	if (s->cut & KP_CARD_CUT_END && may_go_on(v, &n))
		mark(s, v, &n, SHOWN_FIRST, n.cnt);
}

/* Digits of a URL's escape that stand before a number as if they were its own. */
static int escape_len(const struct view *v)
{
	if (get(v, -1) == '%')
		return 2;
	return is_hex(get(v, -1)) && get(v, -2) == '%' ? 1 : 0;
}

/* Four digits stand at `at`; step: bytes of a character. */
static void try_place(struct search *s, size_t at, unsigned step)
{
	struct view v = {s->data, s->len, at, step};
	int escaped;

	if (is_digit(get(&v, -1)))
		return;
	settle(s, at > KP_CARD_REACH ? at - KP_CARD_REACH : 0);
	try_number(s, &v);
	escaped = escape_len(&v);
	v.at += (size_t)escaped * step;
	if (escaped)
		try_number(s, &v);
}

/* --- the begin of what is cut there --- */

/* Takes digits and single separators between them, up to as many as a number has. How many stand
 * together first. */
static int take_rest(const struct view *v, struct number *n)
{
	unsigned kind;
	int i = 0, len = get_separator(v, i, &kind), first = 0;

	do {
		i += len > 0 ? len : 0;
		n->group_cnt = 0;
		i = take_group(v, i, n);
		first = first ? first : n->cnt;
		len = get_separator(v, i, &kind);
	} while (len > 0 && n->groups[0] && n->cnt <= KP_CARD_LEN_MAX);
	return first;
}

static void try_rest(struct search *s, size_t at, unsigned step)
{
	const struct view v = {s->data, s->len, at, step};
	struct number n = {.cnt = 0};
	int first = take_rest(&v, &n), cnt = n.cnt < KP_CARD_LEN_MAX ? n.cnt : KP_CARD_LEN_MAX - 1;

	if (cnt < REST_MIN || first >= KP_CARD_LEN_MAX) /* more than the rest of a number */
		return;
	mark(s, &v, &n, 0, n.is_at_end && s->cut & KP_CARD_CUT_END ? cnt : cnt - SHOWN_LAST);
}

/* --- the search --- */

/* Which of the VECTOR bytes are digits, as bits. */
static uint32_t find_digits(const unsigned char *data)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)data);
	__m128i value = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));

	return (uint32_t)_mm_movemask_epi8(
		_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value));
}

static uint32_t find_digits_at(const struct search *s, size_t at)
{
	unsigned char end[VECTOR] = {0};

	if (at + VECTOR <= s->len)
		return find_digits(s->data + at);
	if (at < s->len)
		memcpy(end, s->data + at, s->len - at);
	return find_digits(end);
}

static void search_all(struct search *s)
{
	uint32_t digits = find_digits_at(s, 0), narrow, wide;

	for (size_t at = 0; at < s->len; at += VECTOR) {
		digits |= find_digits_at(s, at + VECTOR) << VECTOR;
		narrow = digits & digits >> 1 & digits >> 2 & digits >> 3 & 0xffff;
		wide = digits & digits >> 2 & digits >> 4 & digits >> 6 & 0xffff & ~(digits >> 1);
		for (; narrow; narrow &= narrow - 1)
			try_place(s, at + (size_t)__builtin_ctz(narrow), 1);
		for (; wide; wide &= wide - 1)
			try_place(s, at + (size_t)__builtin_ctz(wide), 2);
		digits >>= VECTOR;
	}
}

size_t kp_card_mask_part(unsigned char *data, size_t len, size_t from, size_t to, unsigned cut)
{
	struct search s = {.data = data, .len = len, .from = from, .to = to, .cut = cut};

	if (cut & KP_CARD_CUT_BEGIN) {
		try_rest(&s, 0, 1);
		try_rest(&s, 0, 2);
		try_rest(&s, 1, 2);
	}
	search_all(&s);
	settle(&s, s.settled + sizeof(s.marks) * 8);
	return s.cnt;
}

size_t kp_card_mask(unsigned char *data, size_t len, unsigned cut)
{
	return kp_card_mask_part(data, len, 0, len, cut);
}

/* --- pieces --- */

static void keep_tail(struct kp_card_stream *stream, const unsigned char *data, size_t len)
{
	size_t kept = len < KP_CARD_REACH ? KP_CARD_REACH - len : 0, n;

	kept = kept < stream->len ? kept : stream->len;
	n = len < KP_CARD_REACH ? len : KP_CARD_REACH;
	memmove(stream->tail, stream->tail + stream->len - kept, kept);
	memcpy(stream->tail + kept, data + len - n, n);
	stream->len = (uint8_t)(kept + n);
}

size_t kp_card_mask_next(struct kp_card_stream *stream, unsigned char *data, size_t len,
			 unsigned cut)
{
	unsigned char joined[2 * KP_CARD_REACH];
	size_t before = stream->len, n = len < KP_CARD_REACH ? len : KP_CARD_REACH, cnt;

	memcpy(joined, stream->tail, before);
	memcpy(joined + before, data, n);
	keep_tail(stream, data, len);
	cnt = kp_card_mask(data, len, cut);
	if (!before)
		return cnt;
	kp_card_mask_part(joined, before + n, before, before + n,
			  n == len ? cut & KP_CARD_CUT_END : 0);
	for (size_t i = 0; i < n; i++) {
		if (joined[before + i] != KP_CARD_MASK || !is_digit(data[i]))
			continue;
		data[i] = KP_CARD_MASK;
		cnt++;
	}
	return cnt;
}
