/* SPDX-License-Identifier: MIT
 * What reading and writing objects share; see object.h.
 */
#ifndef KP_LOG_OBJECT_IN_H
#define KP_LOG_OBJECT_IN_H

#include <stdbool.h>
#include <string.h>

#include "log/object.h"

#define KP_OBJECT_PAGE 4096u
#define KP_OBJECT_PAGES (KP_OBJECT_PIECE / KP_OBJECT_PAGE)
/* Zstandard's window: what a reader must have in memory to unpack. */
#define KP_OBJECT_WINDOW_LOG 20
/* What a frame of zeros begins with, and its length: of those that are skipped (RFC 8878, 3.1.2)
 * the first; the others differ in the lowest four bits. */
#define KP_OBJECT_PAD_MAGIC 0x184d2a50u
#define KP_OBJECT_PAD_MASK 0xfffffff0u

static inline bool kp_object_is_zero(const unsigned char *data, size_t len)
{
	return !len || (!data[0] && !memcmp(data, data + 1, len - 1));
}

#endif
