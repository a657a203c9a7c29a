/* SPDX-License-Identifier: MIT
 *
 * Writes a log. One writer per directory and boot at a time (an advisory lock makes it so). Not
 * thread-safe, except that kp_log_sync may run beside the other calls.
 */
#ifndef KP_LOG_WRITER_H
#define KP_LOG_WRITER_H

#include <stdint.h>

#include "base/err.h"
#include "kprobe/log_format.h"
#include "log/codec.h"
#include "log/object.h"
#include "log/retain.h"

struct kp_log_writer;

/* Of a block: the number of its segment (from 1) and of the block there. Of a log's end: of the
 * last segment, and how many blocks it has. */
struct kp_log_place {
	uint64_t segment, block;
};

struct kp_log_options {
	const char *node;         /* name of this host in the log; NULL: gethostname */
	const char *options_json; /* what the recorder was told, a JSON object; NULL: {} */
	uint64_t segment_len;     /* bytes after which a segment is sealed; 0: 64 MiB */
	enum kp_codec codec;
	/* A run whose writer was killed, and which is to go on if it is the newest there: the next
	 * segment is another one of it, as if nothing had been. 0: a new one. */
	uint64_t resume_run;
	/* Set to where a block will stand, just before it is written; NULL: not wanted. */
	struct kp_log_place *place;
	/* Called when a new segment was begun, the first included, so that the recorder can make
	 * the snapshot that lets the segment be read alone, and append it when it is ready. */
	void (*on_segment)(uint64_t segment, void *arg);
	void *on_segment_arg;
};

/*
 * Opens dir for writing: makes it (0700) and its boot's folder when missing, refuses one that is
 * not the caller's alone (kp_folder_make), recovers what an earlier writer left torn (truncated to
 * the last whole block, and a `recovery` event written that says so), and begins a new segment
 * (0600). Errors: -errno; -EBUSY when another recorder writes there.
 */
int kp_log_create(const char *dir, const struct kp_log_options *options,
		  struct kp_log_writer **ret_writer, struct kp_err *err);

/*
 * Appends events of one stream: `events` is a run of whole, valid events of len bytes, at most
 * KP_BLOCK_RAW_MAX; it becomes one block and one pwrite. A block of KP_STREAM_SNAPSHOT never begins
 * a new segment, nor brings one nearer: there would be no end. lost: cumulative counts per group of
 * this stream. On -ENOSPC and other errors nothing of the block remains in the file, and the writer
 * can be used again.
 */
int kp_log_append(struct kp_log_writer *writer, uint32_t stream, const void *events, uint32_t len,
		  const uint64_t lost[KP_GROUP_CNT], struct kp_err *err);

/* The same for a block that was encoded already, from raw_len bytes of events. */
int kp_log_append_encoded(struct kp_log_writer *writer, uint32_t stream,
			  const struct kp_encoded *encoded, uint32_t raw_len,
			  const uint64_t lost[KP_GROUP_CNT], struct kp_err *err);

/* fdatasync of what was appended before the call. -ENOENT: the open segment was removed. */
int kp_log_sync(struct kp_log_writer *writer, struct kp_err *err);

/* Events so far of which it is not known whether they are on disk, since a sync failed. */
uint64_t kp_log_doubtful(struct kp_log_writer *writer);

/* Makes the folder of the objects beside the log's boots; as kp_objects_make. */
int kp_log_make_objects(struct kp_log_writer *writer, struct kp_objects **ret_objects,
			struct kp_err *err);

/* What keeps the log short (log/retain.h); the writer must outlive it. 0 or a negative errno. */
int kp_log_make_retainer(struct kp_log_writer *writer, const struct kp_retain_options *options,
			 struct kp_retainer **ret_retainer, struct kp_err *err);

/* What the log's file system has free for it; 0: not known. For any thread. */
uint64_t kp_log_free_len(const struct kp_log_writer *writer);
/* The run that is written, and, of one that was resumed, where it ended before. */
uint64_t kp_log_run(const struct kp_log_writer *writer);
struct kp_log_place kp_log_resumed_at(const struct kp_log_writer *writer);

/* Bytes written to the log so far, headers included; those of objects are counted there. */
uint64_t kp_log_written(const struct kp_log_writer *writer);

/* From now on come the last words of the run: on a full disk they go into a room kept for them. */
void kp_log_begin_end(struct kp_log_writer *writer);

/* Writes why the run has ended (sig: by which signal, or 0), and syncs. Nothing may be appended
 * behind it. */
int kp_log_end(struct kp_log_writer *writer, enum kp_end_reason reason, int sig,
	       struct kp_err *err);

/* Ends the run, KP_END_CLOSED, if that was not done; closes; frees writer also on error. NULL is
 * fine. */
int kp_log_close(struct kp_log_writer *writer, struct kp_err *err);

#endif
