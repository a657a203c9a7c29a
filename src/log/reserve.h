/* SPDX-License-Identifier: MIT
 *
 * Room on the disk for the last words of a log, kept from the begin on, so that a full disk does
 * not take a recording's accounts and its end: a file without a name, which becomes the last
 * segment.
 */
#ifndef KP_LOG_RESERVE_H
#define KP_LOG_RESERVE_H

/* The descriptor, or -errno where the file system has no such thing, or no room. */
int kp_reserve_make(int dir_fd);

/* Gives it a name, which must be new. 0 or -errno. */
int kp_reserve_name(int fd, int dir_fd, const char *name);

#endif
