/* SPDX-License-Identifier: MIT
 *
 * A growing run of bytes. Zero-initialised is empty; kp_buf_done() frees. An allocation that fails
 * is remembered in `failed`: later appends do nothing, so that a long construction is checked once.
 */
#ifndef KP_BASE_BUF_H
#define KP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_buf {
	char *data; /* NUL behind the last byte once something was appended */
	size_t len;
	size_t cap;
	bool failed; /* out of memory at some append */
};

/* Makes room for len bytes more; returns where they begin, or NULL. Does not change buf->len. */
void *kp_buf_reserve(struct kp_buf *buf, size_t len);
void kp_buf_append(struct kp_buf *buf, const void *data, size_t len);
void kp_buf_puts(struct kp_buf *buf, const char *text);
void kp_buf_putc(struct kp_buf *buf, char c);
void kp_buf_printf(struct kp_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Length of the valid UTF-8 sequence (RFC 3629) that begins the len ≥ 1 bytes at text; 0: none. */
size_t kp_utf8_len(const char *text, size_t len);
/* The character of a valid sequence of n bytes. */
uint32_t kp_utf8_code(const char *text, size_t n);

/*
 * Appends text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD; characters
 * that a terminal should not have as they stand (kp_text_plain) are escaped as JSON does.
 */
void kp_buf_json(struct kp_buf *buf, const char *text, size_t len);

/* Empties buf and keeps its memory. */
void kp_buf_reset(struct kp_buf *buf);
void kp_buf_done(struct kp_buf *buf);

#endif
