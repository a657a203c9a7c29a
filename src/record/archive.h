/* SPDX-License-Identifier: MIT
 *
 * Keeps the content of files that recorded processes map, as file_info and file_data events. One
 * copy per content: a file with the same device, inode, length and times is not read again. Not
 * thread-safe: used by the thread that holds the traced processes.
 */
#ifndef KP_RECORD_ARCHIVE_H
#define KP_RECORD_ARCHIVE_H

#include <stdint.h>

#include "record/sink.h"

struct kp_archive;

/* Largest file that is archived; replay refuses a process that mapped a larger one. */
#define KP_ARCHIVE_FILE_MAX (1ull << 30)

/* NULL: out of memory. sink is borrowed. */
struct kp_archive *kp_archive_new(const struct kp_sink *sink);

/*
 * Archives the regular file open at fd (its offset is not used) unless it is there already. path:
 * what to call it. The content must be that of this moment: the process goes on when this returns,
 * and replay applies to it what the process writes from then on. Returns its file_id, or 0 when its
 * content cannot be had (not a regular file, too large, not readable, changed while it was read).
 */
uint32_t kp_archive_fd(struct kp_archive *archive, int fd, const char *path);

/* The same for a path that is opened here, such as /proc/PID/map_files/A-B. */
uint32_t kp_archive_path(struct kp_archive *archive, const char *open_path, const char *path);

void kp_archive_free(struct kp_archive *archive);

#endif
