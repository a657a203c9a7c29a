/* SPDX-License-Identifier: MIT
 * Foreign text on its way to a person; see text.h.
 */
#include "base/text.h"

#include <string.h>

struct range {
	uint32_t first, last;
};

/*
 * Characters that do not show, or that change how their neighbours do, in ascending order:
 * Unicode's controls, separators of lines, Default_Ignorable_Code_Point (which has the marks of
 * direction, the joiners and the tags), annotations and noncharacters. The last two of each plane
 * are noncharacters too.
 */
static const struct range hidden[] = {
	{0, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
	{0x61c, 0x61c},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
	{0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
	{0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
	{0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t c)
{
	if (c >= 0x20 && c < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]) && c >= hidden[i].first; i++)
		if (c <= hidden[i].last)
			return true;
	return (c & 0xfffe) == 0xfffe;
}

size_t kp_text_plain(const char *text, size_t len)
{
	size_t n = kp_utf8_len(text, len);

	return n && !is_hidden(kp_utf8_code(text, n)) ? n : 0;
}

/* The character, or the bad byte, that begins text; returns the bytes that it took. */
static size_t put_escape(struct kp_buf *out, const char *text, size_t len)
{
	static const char special[] = "\n\t\r\\\"", letter[] = "ntr\\\"";
	const char *at = *text ? strchr(special, *text) : NULL;
	size_t n = kp_utf8_len(text, len);
	uint32_t c;

	if (at) {
		kp_buf_putc(out, '\\');
		kp_buf_putc(out, letter[at - special]);
		return 1;
	}
	if (n < 2) {
		kp_buf_printf(out, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	c = kp_utf8_code(text, n);
	kp_buf_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
	return n;
}

/* Appends text with escapes, but for the bytes of `keep`; those of `more` are escaped besides. */
static void put(struct kp_buf *out, const char *text, size_t len, const char *keep,
		const char *more)
{
	size_t begin = 0, i = 0, n;

	while (i < len) {
		n = kp_text_plain(text + i, len - i);
		if (text[i] && (n ? !strchr(more, text[i]) : strchr(keep, text[i]) != NULL)) {
			i += n ? n : 1;
			continue;
		}
		kp_buf_append(out, text + begin, i - begin);
		i += put_escape(out, text + i, len - i);
		begin = i;
	}
	kp_buf_append(out, text + begin, len - begin);
}

void kp_text_append(struct kp_buf *out, const char *text, size_t len)
{
	put(out, text, len, "", "");
}

void kp_text_puts(struct kp_buf *out, const char *text)
{
	kp_text_append(out, text, strlen(text));
}

/* Length of a colour (ESC [ digits and semicolons m) that begins text, or 0. */
static size_t color_len(const char *text, size_t len)
{
	size_t i = 2;

	if (len < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < len && ((text[i] >= '0' && text[i] <= '9') || text[i] == ';'))
		i++;
	return i < len && text[i] == 'm' ? i + 1 : 0;
}

void kp_text_lines(struct kp_buf *out, const char *text, size_t len, bool color)
{
	const char *esc;
	size_t n, used;

	while (color && (esc = memchr(text, '\033', len))) {
		n = (size_t)(esc - text);
		put(out, text, n, "\n", "");
		used = color_len(esc, len - n);
		if (used)
			kp_buf_append(out, esc, used);
		else
			used = put_escape(out, esc, len - n);
		text += n + used;
		len -= n + used;
	}
	put(out, text, len, "\n", "");
}

void kp_text_quote(struct kp_buf *out, const char *text, size_t len)
{
	kp_buf_putc(out, '"');
	put(out, text, len, "", "\"\\");
	kp_buf_putc(out, '"');
}
