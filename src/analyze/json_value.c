/* SPDX-License-Identifier: MIT
 * What the strings and numbers of a JSON text mean; see json.h.
 */
#include <ctype.h>
#include <string.h>

#include "analyze/json.h"

/* The number of four hexadecimal digits, or -1. */
static int hex4(const char *s)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	int value = 0;

	for (int i = 0; i < 4; i++) {
		digit = s[i] ? strchr(digits, tolower((unsigned char)s[i])) : NULL;
		if (!digit)
			return -1;
		value = value << 4 | (int)(digit - digits);
	}
	return value;
}

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
			quote = quote || isspace((unsigned char)*at) || *at == '+' ? '\0' : *at;
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
	while (d.end > d.at && isspace((unsigned char)d.end[-1])) /* of a bare run */
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
