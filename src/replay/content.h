/* SPDX-License-Identifier: MIT
 *
 * What is in a memory file, changed as the kernel changes a file. Holes cost nothing: a log can
 * name lengths that no memory holds. Functions return 0 or a negative errno unless it says
 * otherwise; offsets and lengths come from a log and may be anything.
 */
#ifndef KP_REPLAY_CONTENT_H
#define KP_REPLAY_CONTENT_H

#include <stddef.h>
#include <stdint.h>

int kp_content_write(int fd, uint64_t offset, const void *data, size_t len);

/* fallocate(2) with its mode; lengthens, but reserves nothing. -EOPNOTSUPP: a mode not known. */
int kp_content_allocate(int fd, uint32_t mode, uint64_t offset, uint64_t len);

/* 1: both files have the same length and bytes, 0: they differ. */
int kp_content_equal(int a, int b);

/* Gives to the length and bytes of from; bytes that are equal already are left alone. */
int kp_content_copy(int from, int to);

#endif
