/* SPDX-License-Identifier: MIT
 * Ids of traces and spans; see ids.h.
 */
#include "analyze/ids.h"

#include <ctype.h>
#include <string.h>

static bool all_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return len > 0;
}

static bool all_zero(const char *hex)
{
	return hex[strspn(hex, "0")] == '\0';
}

/* Six bits of a base64 digit of either alphabet (RFC 4648), or -1. */
static int sextet(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *hit = c == '-' ? alphabet + 62 : c == '_' ? alphabet + 63 : NULL;

	if (!hit)
		hit = c ? strchr(alphabet, c) : NULL;
	return hit ? (int)(hit - alphabet) : -1;
}

/* False unless text is base64 of exactly so many bytes. */
static bool from_base64(const char *text, size_t len, unsigned bytes, char *ret_hex)
{
	static const char digit[] = "0123456789abcdef";
	unsigned bits = 0, held = 0, n = 0;
	int six;

	for (unsigned pad = 0; pad < 2 && len && text[len - 1] == '='; pad++)
		len--;
	if (len != (8 * bytes + 5) / 6)
		return false;
	for (size_t i = 0; i < len; i++) {
		six = sextet(text[i]);
		if (six < 0)
			return false;
		bits = (bits << 6 | (unsigned)six) & 0xffff;
		held += 6;
		if (held < 8 || n == bytes)
			continue;
		held -= 8;
		ret_hex[2 * n] = digit[bits >> held >> 4 & 15];
		ret_hex[2 * n++ + 1] = digit[bits >> held & 15];
	}
	ret_hex[2 * n] = '\0';
	return true;
}

static void lower(char *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (char)tolower((unsigned char)text[i]);
	to[len] = '\0';
}

static size_t skip_0x(const char *text, size_t len)
{
	return len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
}

enum kp_id_form kp_id_read(const char *text, size_t len, unsigned bytes, char *ret_hex)
{
	size_t digits = 2 * bytes, skip = skip_0x(text, len), n = len - skip;
	enum kp_id_form form = KP_ID_WHOLE;

	ret_hex[0] = '\0';
	if (len == 0)
		return KP_ID_NONE;
	/* "0x" may also be the begin of base64. */
	if (n <= digits && all_hex(text + skip, n)) {
		memset(ret_hex, '0', digits - n);
		lower(ret_hex + digits - n, text + skip, n);
		form = n == digits ? KP_ID_WHOLE : KP_ID_SHORT;
	} else if (!from_base64(text, len, bytes, ret_hex)) {
		ret_hex[0] = '\0';
		return KP_ID_BAD;
	}
	if (all_zero(ret_hex)) {
		ret_hex[0] = '\0';
		return KP_ID_NONE;
	}
	return form;
}

/* 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 */
static bool from_traceparent(const char *text, struct kp_id_asked *ret_asked)
{
	static const unsigned places[] = {2, 35, 52};

	if (strlen(text) < 55)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (text[places[i]] != '-')
			return false;
	return all_hex(text, 2) &&
	       kp_id_read(text + 3, 32, KP_TRACE_ID_BYTES, ret_asked->hex) == KP_ID_WHOLE &&
	       kp_id_read(text + 36, 16, KP_SPAN_ID_BYTES, ret_asked->span) == KP_ID_WHOLE;
}

bool kp_id_ask(const char *text, unsigned bytes, struct kp_id_asked *ret_asked)
{
	size_t len = strlen(text), skip = skip_0x(text, len);

	memset(ret_asked, 0, sizeof(*ret_asked));
	if (bytes == KP_TRACE_ID_BYTES && from_traceparent(text, ret_asked))
		return true;
	memset(ret_asked, 0, sizeof(*ret_asked));
	if (len - skip <= 2 * bytes && all_hex(text + skip, len - skip))
		lower(ret_asked->begin, text + skip, len - skip);
	kp_id_read(text, len, bytes, ret_asked->hex);
	return ret_asked->hex[0] || ret_asked->begin[0];
}

enum kp_id_fit kp_id_fits(const char *id, const struct kp_id_asked *asked)
{
	size_t len = strlen(asked->begin);

	if (!*id)
		return KP_ID_OTHER;
	if (strcmp(id, asked->hex) == 0)
		return KP_ID_SAME;
	if (len && (strncmp(id, asked->begin, len) == 0 ||
		    strncmp(id + strspn(id, "0"), asked->begin, len) == 0))
		return KP_ID_BEGINS;
	return KP_ID_OTHER;
}
