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

static bool is_hex4(const char *s)
{
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)s[i]))
			return false;
	return true;
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
		if (!is_hex4(at + 1))
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
