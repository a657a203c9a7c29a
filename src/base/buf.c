/* SPDX-License-Identifier: MIT
 * A growing run of bytes; see buf.h.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void *kp_buf_reserve(struct kp_buf *buf, size_t len)
{
	size_t cap = buf->cap ? buf->cap : 256;
	char *data;

	if (buf->failed)
		return NULL;
	if (len < buf->cap - buf->len) /* one byte stays for the NUL */
		return buf->data + buf->len;
	while (cap - buf->len <= len) {
		if (cap > (size_t)-1 / 2)
			goto fail;
		cap *= 2;
	}
	data = realloc(buf->data, cap);
	if (!data)
		goto fail;
	buf->data = data;
	buf->cap = cap;
	return buf->data + buf->len;
fail:
	buf->failed = true;
	return NULL;
}

void kp_buf_append(struct kp_buf *buf, const void *data, size_t len)
{
	char *at = kp_buf_reserve(buf, len);

	if (!at)
		return;
	if (len)
		memcpy(at, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void kp_buf_puts(struct kp_buf *buf, const char *text)
{
	kp_buf_append(buf, text, strlen(text));
}

void kp_buf_putc(struct kp_buf *buf, char c)
{
	kp_buf_append(buf, &c, 1);
}

void kp_buf_printf(struct kp_buf *buf, const char *format, ...)
{
	va_list ap;
	char *at;
	int len;

	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	at = len < 0 ? NULL : kp_buf_reserve(buf, (size_t)len);
	if (!at)
		return;
	va_start(ap, format);
	vsnprintf(at, (size_t)len + 1, format, ap);
	va_end(ap);
	buf->len += (size_t)len;
}

/* Shortest form, no surrogates. */
size_t kp_utf8_len(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	static const unsigned char need[] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4};
	size_t n = need[s[0] >> 4], i;

	if (n == 0 || n > len)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 2 && s[0] < 0xc2)
		return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
		return 0;
	if (n == 4 &&
	    ((s[0] == 0xf0 && s[1] < 0x90) || s[0] > 0xf4 || (s[0] == 0xf4 && s[1] > 0x8f)))
		return 0;
	return n;
}

uint32_t kp_utf8_code(const char *text, size_t n)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)text[0] & lead[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	return c;
}

static void json_escape(struct kp_buf *buf, uint32_t c)
{
	if (c == '"' || c == '\\') {
		kp_buf_putc(buf, '\\');
		kp_buf_putc(buf, (char)c);
		return;
	}
	if (c > 0xffff) {
		kp_buf_printf(buf, "\\u%04x", 0xd7c0 + (c >> 10));
		c = 0xdc00 | (c & 0x3ff);
	}
	kp_buf_printf(buf, "\\u%04x", c);
}

void kp_buf_json(struct kp_buf *buf, const char *text, size_t len)
{
	size_t begin = 0, i = 0, n;

	kp_buf_putc(buf, '"');
	while (i < len) {
		n = kp_text_plain(text + i, len - i);
		if (n && text[i] != '"' && text[i] != '\\') {
			i += n;
			continue;
		}
		kp_buf_append(buf, text + begin, i - begin);
		n = kp_utf8_len(text + i, len - i);
		json_escape(buf, n ? kp_utf8_code(text + i, n) : 0xfffd);
		i += n ? n : 1;
		begin = i;
	}
	kp_buf_append(buf, text + begin, len - begin);
	kp_buf_putc(buf, '"');
}

void kp_buf_reset(struct kp_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

void kp_buf_done(struct kp_buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}
