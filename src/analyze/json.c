/* SPDX-License-Identifier: MIT
 * A JSON reader; see json.h.
 */
#include "analyze/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	struct kp_arena *arena;
	const char *text;
	size_t len;
	size_t at;
	int depth;
	const char *why; /* of a failure; NULL: out of memory */
};

static struct kp_json *parse_value(struct parser *p);

static struct kp_json *fail(struct parser *p, const char *why)
{
	p->why = why;
	return NULL;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->len && (p->text[p->at] == ' ' || p->text[p->at] == '\t' ||
				  p->text[p->at] == '\n' || p->text[p->at] == '\r'))
		p->at++;
}

static int peek(struct parser *p)
{
	skip_space(p);
	return p->at < p->len ? (unsigned char)p->text[p->at] : -1;
}

static struct kp_json *new_value(struct parser *p, enum kp_json_type type)
{
	struct kp_json *value = kp_arena_alloc(p->arena, sizeof(*value));

	if (!value)
		return fail(p, NULL);
	value->type = type;
	return value;
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

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* \uXXXX at s (behind the u), with its second half if it is a surrogate; bytes used, 0: bad. */
static size_t unescape_u(const char *s, size_t avail, uint32_t *ret_char)
{
	int hi = avail >= 4 ? hex4(s) : -1, lo;

	if (hi < 0)
		return 0;
	*ret_char = (uint32_t)hi;
	if (hi < 0xd800 || hi > 0xdfff)
		return 4;
	lo = hi < 0xdc00 && avail >= 10 && s[4] == '\\' && s[5] == 'u' ? hex4(s + 6) : -1;
	if (lo >= 0xdc00 && lo <= 0xdfff) {
		*ret_char = 0x10000 + (((uint32_t)hi - 0xd800) << 10) + ((uint32_t)lo - 0xdc00);
		return 10;
	}
	*ret_char = 0xfffd; /* half a pair */
	return 4;
}

/* Bytes of the string from p->at (behind the quote) to its closing quote, or -1. */
static long string_len(const struct parser *p)
{
	for (size_t i = p->at; i < p->len; i++) {
		if (p->text[i] == '"')
			return (long)(i - p->at);
		if ((unsigned char)p->text[i] < 0x20)
			return -1;
		if (p->text[i] == '\\')
			i++;
	}
	return -1;
}

/* The string at p->at, its opening quote consumed. */
static const char *parse_string(struct parser *p, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	long raw = string_len(p);
	const char *hit;
	size_t n = 0, used, end;
	uint32_t c;
	char *out;

	if (raw < 0) {
		fail(p, "a string without end or with a control character");
		return NULL;
	}
	end = p->at + (size_t)raw;
	out = kp_arena_alloc(p->arena, (size_t)raw + 1); /* unescaped text is never longer */
	if (!out) {
		fail(p, NULL);
		return NULL;
	}
	while (p->at < end) {
		if (p->text[p->at] != '\\') {
			out[n++] = p->text[p->at++];
			continue;
		}
		p->at++;
		hit = p->text[p->at] ? strchr(from, p->text[p->at]) : NULL;
		if (hit) {
			out[n++] = to[hit - from];
			p->at++;
			continue;
		}
		used = p->text[p->at] == 'u' ? unescape_u(p->text + p->at + 1, end - p->at - 1, &c)
					     : 0;
		if (!used) {
			fail(p, "a bad escape in a string");
			return NULL;
		}
		n += put_utf8(out + n, c);
		p->at += 1 + used;
	}
	p->at = end + 1;
	*ret_len = n;
	return out;
}

static size_t digits(struct parser *p)
{
	size_t begin = p->at;

	while (p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9')
		p->at++;
	return p->at - begin;
}

static bool take(struct parser *p, const char *any)
{
	if (p->at >= p->len || !p->text[p->at] || !strchr(any, p->text[p->at]))
		return false;
	p->at++;
	return true;
}

static struct kp_json *parse_number(struct parser *p)
{
	struct kp_json *value = new_value(p, KP_JSON_NUMBER);
	size_t begin = p->at;
	bool zero;

	if (!value)
		return NULL;
	take(p, "-");
	zero = p->at < p->len && p->text[p->at] == '0';
	if (zero ? !take(p, "0") : !digits(p))
		return fail(p, "not a value");
	if (take(p, ".") && !digits(p))
		return fail(p, "a number without digits behind its point");
	if (take(p, "eE")) {
		take(p, "+-");
		if (!digits(p))
			return fail(p, "a number without digits in its exponent");
	}
	value->len = p->at - begin;
	value->text = kp_arena_strndup(p->arena, p->text + begin, value->len);
	return value->text ? value : fail(p, NULL);
}

static struct kp_json *parse_word(struct parser *p)
{
	static const struct {
		const char *word;
		enum kp_json_type type;
	} words[] = {{"null", KP_JSON_NULL}, {"true", KP_JSON_TRUE}, {"false", KP_JSON_FALSE}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i].word);

		if (p->len - p->at >= n && memcmp(p->text + p->at, words[i].word, n) == 0) {
			p->at += n;
			return new_value(p, words[i].type);
		}
	}
	return fail(p, "not a value");
}

/* One member or element with its key. */
static struct kp_json *parse_member(struct parser *p, bool keyed)
{
	const char *key = NULL;
	struct kp_json *value;
	size_t len;

	if (keyed) {
		if (peek(p) != '"')
			return fail(p, "an object's member without a name");
		p->at++;
		key = parse_string(p, &len);
		if (!key)
			return NULL;
		if (peek(p) != ':')
			return fail(p, "no colon behind a name");
		p->at++;
	}
	value = parse_value(p);
	if (value)
		value->key = key;
	return value;
}

static struct kp_json *parse_list(struct parser *p, enum kp_json_type type, char close)
{
	struct kp_json *list = new_value(p, type), **tail;
	int c;

	if (!list)
		return NULL;
	p->at++;
	tail = &list->child;
	if (peek(p) == close) {
		p->at++;
		return list;
	}
	for (;;) {
		*tail = parse_member(p, type == KP_JSON_OBJECT);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
		c = peek(p);
		if (c != ',' && c != close)
			return fail(p, "neither a comma nor the end of a list");
		p->at++;
		if (c == close)
			return list;
	}
}

static struct kp_json *parse_text(struct parser *p)
{
	struct kp_json *value = new_value(p, KP_JSON_STRING);

	if (!value)
		return NULL;
	p->at++;
	value->text = parse_string(p, &value->len);
	return value->text ? value : NULL;
}

static struct kp_json *parse_value(struct parser *p)
{
	struct kp_json *value;
	int c = peek(p);

	if (p->depth == KP_JSON_DEPTH_MAX)
		return fail(p, "nested too deeply");
	p->depth++;
	if (c == '{')
		value = parse_list(p, KP_JSON_OBJECT, '}');
	else if (c == '[')
		value = parse_list(p, KP_JSON_ARRAY, ']');
	else if (c == '"')
		value = parse_text(p);
	else if (c == '-' || (c >= '0' && c <= '9'))
		value = parse_number(p);
	else
		value = parse_word(p);
	p->depth--;
	return value;
}

int kp_json_read(struct kp_arena *arena, const char *text, size_t len, size_t *ret_used,
		 struct kp_json **ret_value, struct kp_err *err)
{
	struct parser p = {.arena = arena, .text = text, .len = len};
	struct kp_json *value;

	if (peek(&p) < 0) {
		*ret_used = len;
		return 0;
	}
	value = parse_value(&p);
	if (!value && !p.why)
		return kp_err_set(err, -ENOMEM, "out of memory while reading JSON");
	if (!value)
		return kp_err_set(err, -EBADMSG, "bad JSON at byte %zu: %s", p.at, p.why);
	*ret_used = p.at;
	*ret_value = value;
	return 1;
}

const struct kp_json *kp_json_get(const struct kp_json *object, const char *key)
{
	const struct kp_json *member;

	if (!object || object->type != KP_JSON_OBJECT)
		return NULL;
	for (member = object->child; member; member = member->next)
		if (strcmp(member->key, key) == 0)
			return member;
	return NULL;
}

const char *kp_json_string(const struct kp_json *value)
{
	return value && value->type == KP_JSON_STRING ? value->text : NULL;
}

bool kp_json_u64(const struct kp_json *value, uint64_t *ret_number)
{
	unsigned long long number;
	long double real;
	char *end;

	if (!value || (value->type != KP_JSON_NUMBER && value->type != KP_JSON_STRING) ||
	    value->len == 0 || value->text[0] < '0' || value->text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(value->text, &end, 10);
	if (errno == 0 && *end == '\0' && (size_t)(end - value->text) == value->len) {
		*ret_number = number;
		return true;
	}
	/* 1.7e18: the mantissa of a long double holds 64 bits. */
	real = strtold(value->text, &end);
	if (*end != '\0' || !(real >= 0 && real < 18446744073709551616.0L))
		return false;
	*ret_number = (uint64_t)real;
	return (long double)*ret_number == real;
}
