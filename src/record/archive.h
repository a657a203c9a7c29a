/* SPDX-License-Identifier: MIT
 *
 * Keeps the content of files that recorded processes map, as objects beside the log's events
 * (log/object.h), which file_info and file_object events name. A file is pinned (opened, and its
 * state noted) while the process that maps it is held, and copied later by a thread of its own; a
 * file that somebody may be writing is read while the process is held. One copy per content: a file
 * with the same device, inode, length and times is not read again. What changed between pin and
 * copy is marked, never kept as if it were what was mapped.
 */
#ifndef KP_RECORD_ARCHIVE_H
#define KP_RECORD_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "log/object.h"
#include "record/sink.h"

struct kp_archive;

/* Most bytes of a file that are kept, holes left out; replay refuses who mapped a larger one. */
#define KP_ARCHIVE_FILE_MAX (1ull << 30)

/* Starts the copying thread, which puts into sink (borrowed) and objects (taken over, on errors
 * too), with card numbers masked if is_masked. 0 or a negative errno. */
int kp_archive_new(const struct kp_sink *sink, struct kp_objects *objects, bool is_masked,
		   struct kp_archive **ret_archive, struct kp_err *err);

/*
 * Pins the regular file behind link, such as /proc/PID/fd/N, unless its content is there already.
 * is_shared: it is about to be mapped so that stores change the file. The content is that of this
 * moment: the process goes on when this returns, and replay applies to it what the process writes
 * from then on. Returns its file_id, or 0 when it cannot be had (not a regular file, too large, not
 * readable). For one thread.
 */
uint32_t kp_archive_pin(struct kp_archive *archive, const char *link, bool is_shared);

/* Bytes that are pinned and not copied yet; *ret_files how many files. */
uint64_t kp_archive_left(struct kp_archive *archive, uint32_t *ret_files);

/* Bytes read so far, to see whether it goes on. */
uint64_t kp_archive_copied(struct kp_archive *archive);

/* Bytes of the objects that were new. */
uint64_t kp_archive_written(struct kp_archive *archive);

/* The first error of writing an object, of which the file is marked; 0: none. */
int kp_archive_error(struct kp_archive *archive, struct kp_err *ret_err);

/* Waits at most wait_ns for the copies; true: all are made. */
bool kp_archive_wait(struct kp_archive *archive, uint64_t wait_ns);

/* Copies no more: files that are not copied yet are marked so. For any thread. */
void kp_archive_stop(struct kp_archive *archive);

/* Stops, ends the thread and frees. NULL is fine. */
void kp_archive_free(struct kp_archive *archive);

#endif
