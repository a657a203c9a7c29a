/* SPDX-License-Identifier: MIT
 *
 * Foreign text on its way to a person: names, paths, command lines, ids and reasons out of a log, a
 * trace or another process. Whoever wrote them must not be able to move the cursor, retitle the
 * window, begin a line of his own or turn the order of what is read. What can do that is shown as
 * an escape: \n, \t, \r, \xNN for a control character or a byte that is not UTF-8, \uNNNN or
 * \UNNNNNNNN for a character that does not show or that changes how its neighbours do. Everything
 * else stays as it is, so escaped text passes through again unchanged. JSON
 * has escapes of its own (kp_buf_json) for the same characters.
 */
#ifndef KP_BASE_TEXT_H
#define KP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Length of the character that begins the len ≥ 1 bytes at text if it may be shown as it is; 0: it
 * needs an escape.
 */
size_t kp_text_plain(const char *text, size_t len);

/* Appends text on one line. */
void kp_text_append(struct kp_buf *out, const char *text, size_t len);
void kp_text_puts(struct kp_buf *out, const char *text);

/* Appends text whose newlines are ours and stay; so do, if color is set, the colours (SGR). */
void kp_text_lines(struct kp_buf *out, const char *text, size_t len, bool color);

/* Appends text in double quotes on one line, with \" and \\ within. */
void kp_text_quote(struct kp_buf *out, const char *text, size_t len);

#endif
