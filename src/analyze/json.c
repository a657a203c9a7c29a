/* SPDX-License-Identifier: MIT
 * A JSON reader; see json.h.
 */
#include "analyze/json.h"

#include <ctype.h>
#include <string.h>

static const char too_early[] = "it ends too early";

struct scan {
	const char *text;
	size_t len;
	size_t at;
	int depth;
	bool loose;
	const char *why;
};

static bool skip_value(struct scan *s, struct kp_json *ret_value);

static bool fail(struct scan *s, const char *why)
{
	s->why = s->at >= s->len ? too_early : why;
	return false;
}

/* The text ends within something. */
static bool cut(struct scan *s)
{
	s->at = s->len;
	return fail(s, NULL);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int peek(struct scan *s)
{
	while (s->at < s->len && is_space(s->text[s->at]))
		s->at++;
	return s->at < s->len ? (unsigned char)s->text[s->at] : -1;
}

static bool is_quote(const struct scan *s, int c)
{
	return c == '"' || (s->loose && (c == '\'' || c == '`'));
}

static int hex4(const char *s)
{
	int value = 0, digit;

	for (int i = 0; i < 4; i++) {
		digit = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
			: s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
			: s[i] >= 'A' && s[i] <= 'F' ? s[i] - 'A' + 10
						     : -1;
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* --- checking, which finds where a value ends --- */

static bool skip_escape(struct scan *s)
{
	const char *at = s->text + s->at + 1;
	size_t left = s->len - s->at - 1;

	if (left == 0)
		return cut(s);
	if (!s->loose && (!*at || !strchr("\"\\/bfnrtu", *at)))
		return fail(s, "a bad escape in a string");
	if (!s->loose && *at == 'u') {
		if (left < 5)
			return cut(s);
		if (hex4(at + 1) < 0)
			return fail(s, "a bad escape in a string");
	}
	s->at += 2;
	return true;
}

static bool skip_string(struct scan *s)
{
	char quote = s->text[s->at++];

	while (s->at < s->len && s->text[s->at] != quote) {
		if ((unsigned char)s->text[s->at] < 0x20)
			return fail(s, "a string without end or with a control character");
		if (s->text[s->at] != '\\')
			s->at++;
		else if (!skip_escape(s))
			return false;
	}
	if (s->at >= s->len)
		return fail(s, NULL);
	s->at++;
	return true;
}

static bool take(struct scan *s, const char *any)
{
	if (s->at >= s->len || !s->text[s->at] || !strchr(any, s->text[s->at]))
		return false;
	s->at++;
	return true;
}

static size_t digits(struct scan *s)
{
	size_t begin = s->at;

	while (s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9')
		s->at++;
	return s->at - begin;
}

static bool skip_number(struct scan *s)
{
	take(s, "-");
	if (!take(s, "0") && !digits(s))
		return fail(s, "not a value");
	if (take(s, ".") && !digits(s))
		return fail(s, "a number without digits behind its point");
	if (take(s, "eE")) {
		take(s, "+-");
		if (!digits(s))
			return fail(s, "a number without digits in its exponent");
	}
	return true;
}

static bool skip_word(struct scan *s)
{
	static const char *const words[] = {"null", "true", "false"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]), left = s->len - s->at;

		if (memcmp(s->text + s->at, words[i], n < left ? n : left) == 0) {
			s->at += n < left ? n : left;
			return n <= left || cut(s);
		}
	}
	return fail(s, "not a value");
}

/* A run without punctuation: undefined, -1.5, 10n, 2026-11-26T01:19:00.516Z, ... 50 more items. */
static bool skip_bare(struct scan *s)
{
	size_t begin = s->at;

	while (s->at < s->len && (unsigned char)s->text[s->at] >= 0x20 &&
	       !strchr(",{}[]\"'`", s->text[s->at]))
		s->at++;
	return s->at > begin || fail(s, "not a value");
}

static bool skip_key(struct scan *s, struct kp_json *ret_key)
{
	size_t begin;
	int c = peek(s);

	begin = s->at;
	if (is_quote(s, c)) {
		if (!skip_string(s))
			return false;
	} else if (s->loose) {
		while (s->at < s->len && (unsigned char)s->text[s->at] > ' ' &&
		       !strchr(":,{}", s->text[s->at]))
			s->at++;
	}
	if (s->at == begin)
		return fail(s, "an object's member without a name");
	*ret_key = (struct kp_json){s->text + begin, s->at - begin};
	if (peek(s) != ':')
		return fail(s, "no colon behind a name");
	s->at++;
	return true;
}

static bool skip_list(struct scan *s)
{
	bool keyed = s->text[s->at] == '{';
	char close = keyed ? '}' : ']';
	struct kp_json key, value;
	int c;

	s->at++;
	for (c = peek(s); c != close; c = peek(s)) {
		if ((keyed && !skip_key(s, &key)) || !skip_value(s, &value))
			return false;
		c = peek(s);
		if (c == ',') {
			s->at++;
			if (!s->loose && peek(s) == close)
				return fail(s, "a comma behind the last of a list");
		} else if (c != close) {
			return fail(s, "neither a comma nor the end of a list");
		}
	}
	s->at++;
	return true;
}

/* Behind a loose string: 'a' + 'b', 'a'... 9 more characters. */
static bool skip_sum(struct scan *s, struct kp_json *value)
{
	size_t end = s->at;
	int c = peek(s);

	while (c == '+') {
		s->at++;
		c = peek(s);
		if (!is_quote(s, c) || !skip_string(s))
			return fail(s, "no string behind a +");
		end = s->at;
		c = peek(s);
	}
	value->len = (size_t)(s->text + end - value->text);
	return c != '.' || skip_bare(s);
}

/* Behind a loose word or list, which was a name then: Map(1) {, [Object: null prototype] {. */
static bool skip_named(struct scan *s, struct kp_json *value)
{
	if (*value->text == '{' || peek(s) != '{')
		return true;
	value->text = s->text + s->at;
	if (!skip_list(s))
		return false;
	value->len = (size_t)(s->text + s->at - value->text);
	return true;
}

static bool skip_value(struct scan *s, struct kp_json *ret_value)
{
	int c = peek(s);
	bool good;

	*ret_value = (struct kp_json){s->text + s->at, 0};
	if (c < 0)
		return fail(s, NULL);
	if (s->depth == KP_JSON_DEPTH_MAX)
		return fail(s, "nested too deeply");
	s->depth++;
	if (c == '{' || c == '[')
		good = skip_list(s);
	else if (is_quote(s, c))
		good = skip_string(s);
	else if (s->loose)
		good = skip_bare(s);
	else if (c == '-' || (c >= '0' && c <= '9'))
		good = skip_number(s);
	else
		good = skip_word(s);
	ret_value->len = (size_t)(s->text + s->at - ret_value->text);
	if (good && s->loose)
		good = is_quote(s, c) ? skip_sum(s, ret_value) : skip_named(s, ret_value);
	s->depth--;
	return good;
}

bool kp_json_is_cut(const struct kp_json_fault *fault)
{
	return fault->why == too_early;
}

bool kp_json_read(const char *text, size_t len, enum kp_json_form form, struct kp_json *ret_value,
		  struct kp_json_fault *ret_fault)
{
	struct scan s = {.text = text, .len = len, .loose = form == KP_JSON_LOOSE};
	struct kp_json value;
	bool good = skip_value(&s, &value);

	if (good)
		*ret_value = value;
	else
		*ret_fault = (struct kp_json_fault){s.at, s.why};
	return good;
}

/* --- what a value is --- */

static bool is_word(struct kp_json value, const char *word)
{
	size_t len = value.len;

	while (len && is_space(value.text[len - 1]))
		len--;
	return len == strlen(word) && memcmp(value.text, word, len) == 0;
}

enum kp_json_type kp_json_type(struct kp_json value)
{
	if (!value.text || !value.len)
		return KP_JSON_NONE;
	switch (*value.text) {
	case '{':
		return KP_JSON_OBJECT;
	case '[':
		return KP_JSON_ARRAY;
	case '"':
	case '\'':
	case '`':
		return KP_JSON_STRING;
	case 'n':
	case 'u':
		return is_word(value, "null") || is_word(value, "undefined") ? KP_JSON_NULL
									     : KP_JSON_WORD;
	case 't':
		return is_word(value, "true") ? KP_JSON_TRUE : KP_JSON_WORD;
	case 'f':
		return is_word(value, "false") ? KP_JSON_FALSE : KP_JSON_WORD;
	default:
		return *value.text == '-' || isdigit((unsigned char)*value.text) ? KP_JSON_NUMBER
										 : KP_JSON_WORD;
	}
}

struct kp_json_iter kp_json_each(struct kp_json list)
{
	enum kp_json_type type = kp_json_type(list);

	if (type != KP_JSON_OBJECT && type != KP_JSON_ARRAY)
		return (struct kp_json_iter){0};
	return (struct kp_json_iter){
		.at = list.text + 1, .end = list.text + list.len, .keyed = type == KP_JSON_OBJECT};
}

bool kp_json_next(struct kp_json_iter *iter)
{
	struct scan s = {.text = iter->at, .len = (size_t)(iter->end - iter->at), .loose = true};
	int c = iter->at ? peek(&s) : -1;

	if (c == ',') {
		s.at++;
		c = peek(&s);
	}
	if (c < 0 || c == '}' || c == ']' || (iter->keyed && !skip_key(&s, &iter->key)) ||
	    !skip_value(&s, &iter->value))
		return false;
	iter->at += s.at;
	return true;
}

bool kp_json_is_named(struct kp_json key, const char *name)
{
	const char *at = key.text, *end = key.text + key.len;

	if (key.len >= 2 && (*at == '"' || *at == '\'' || *at == '`')) {
		at++;
		end--;
	}
	for (; at < end; at++) {
		if (*at == '_')
			continue;
		if (tolower((unsigned char)*at) != *name)
			return false;
		name++;
	}
	return *name == '\0';
}

void kp_json_pick(struct kp_json object, const char *const *names, struct kp_json *ret_members,
		  unsigned n)
{
	struct kp_json_iter iter = kp_json_each(object);

	memset(ret_members, 0, n * sizeof(*ret_members));
	if (!iter.keyed)
		return;
	while (kp_json_next(&iter)) {
		if (kp_json_type(iter.value) == KP_JSON_NULL)
			continue;
		for (unsigned i = 0; i < n; i++)
			if (!ret_members[i].text && kp_json_is_named(iter.key, names[i])) {
				ret_members[i] = iter.value;
				break;
			}
	}
}

struct kp_json kp_json_get(struct kp_json object, const char *name)
{
	struct kp_json member;

	kp_json_pick(object, &name, &member, 1);
	return member;
}

/* --- texts and numbers --- */

static void put_utf8(uint32_t c, struct kp_buf *out)
{
	if (c < 0x80) {
		kp_buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		kp_buf_putc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			kp_buf_putc(out, (char)(0xe0 | c >> 12));
		} else {
			kp_buf_putc(out, (char)(0xf0 | c >> 18));
			kp_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		kp_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	kp_buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

/* \uXXXX at s (behind the u), with its second half if it is a surrogate; bytes used. */
static size_t unescape_u(const char *s, size_t avail, uint32_t *ret_char)
{
	int hi = avail >= 4 ? hex4(s) : -1, lo;

	*ret_char = 0xfffd;
	if (hi < 0)
		return 0;
	if (hi < 0xd800 || hi > 0xdfff) {
		*ret_char = (uint32_t)hi;
		return 4;
	}
	lo = hi < 0xdc00 && avail >= 10 && s[4] == '\\' && s[5] == 'u' ? hex4(s + 6) : -1;
	if (lo < 0xdc00 || lo > 0xdfff)
		return 4; /* half a pair */
	*ret_char = 0x10000 + (((uint32_t)hi - 0xd800) << 10) + ((uint32_t)lo - 0xdc00);
	return 10;
}

/* The escape at `at` (on its backslash); returns where it ends. */
static const char *unescape(const char *at, const char *end, struct kp_buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *hit;
	uint32_t c;

	if (++at >= end)
		return end;
	if (*at == 'u') {
		at += 1 + unescape_u(at + 1, (size_t)(end - at - 1), &c);
		put_utf8(c, out);
		return at;
	}
	hit = *at ? strchr(from, *at) : NULL;
	kp_buf_putc(out, hit ? to[hit - from] : *at);
	return at + 1;
}

bool kp_json_text(struct kp_json value, struct kp_buf *out)
{
	const char *at = value.text, *end, *run;
	char quote = '\0';

	if (kp_json_type(value) != KP_JSON_STRING)
		return false;
	end = at + value.len;
	while (at < end) { /* quote 0: between the parts of a sum */
		if (!quote || *at == quote) {
			quote = quote || is_space(*at) || *at == '+' ? '\0' : *at;
			at++;
		} else if (*at == '\\') {
			at = unescape(at, end, out);
		} else {
			for (run = at; at < end && *at != quote && *at != '\\';)
				at++;
			kp_buf_append(out, run, (size_t)(at - run));
		}
	}
	return true;
}

/* A decimal number in its parts: digits with a point somewhere, and an exponent. */
struct decimal {
	const char *at, *end;
	long point;   /* digits before the point, those of the exponent counted */
	bool inexact; /* digits that are not zero were cut off */
	uint64_t value;
};

static bool find_exponent(const char *at, const char *end, long *ret_exponent)
{
	bool minus = at < end && *at == '-';
	long e = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end)
		return false;
	for (; at < end; at++) {
		if (!isdigit((unsigned char)*at))
			return false;
		if (e < 100000) /* beyond any number that is asked for */
			e = e * 10 + (*at - '0');
	}
	*ret_exponent = minus ? -e : e;
	return true;
}

/* Finds point and exponent of the digits in [at, end). */
static bool split_decimal(struct decimal *d)
{
	const char *at = d->at;
	bool point = false;
	long exponent = 0, n = 0;

	for (; at < d->end; at++) {
		if (isdigit((unsigned char)*at)) {
			n++;
			d->point += !point;
		} else if (*at == '.' && !point && n) {
			point = true;
		} else {
			break;
		}
	}
	if (n == 0)
		return false;
	if (at < d->end) {
		if ((*at != 'e' && *at != 'E') || !find_exponent(at + 1, d->end, &exponent))
			return false;
		d->end = at;
	}
	d->point += exponent;
	return true;
}

static bool take_digit(struct decimal *d, unsigned digit)
{
	return !__builtin_mul_overflow(d->value, (uint64_t)10, &d->value) &&
	       !__builtin_add_overflow(d->value, (uint64_t)digit, &d->value);
}

bool kp_json_u64(struct kp_json value, unsigned decimals, uint64_t *ret_number)
{
	enum kp_json_type type = kp_json_type(value);
	struct decimal d = {.at = value.text};
	long left;

	if (type != KP_JSON_NUMBER && type != KP_JSON_STRING)
		return false;
	d.end = d.at + value.len;
	if (type == KP_JSON_STRING) {
		d.at++;
		d.end--;
	}
	while (d.end > d.at && is_space(d.end[-1])) /* of a bare run */
		d.end--;
	if (!split_decimal(&d))
		return false;
	left = d.point + (long)decimals;
	for (; d.at < d.end; d.at++) {
		if (*d.at == '.')
			continue;
		if (left-- <= 0)
			d.inexact |= *d.at != '0';
		else if (!take_digit(&d, (unsigned)(*d.at - '0')))
			return false;
	}
	for (; left > 0 && d.value; left--)
		if (!take_digit(&d, 0))
			return false;
	*ret_number = d.value;
	return decimals || !d.inexact;
}
