/* SPDX-License-Identifier: MIT
 *
 * The contents of files, beside the streams of events that name them: DIR/objects/ab/cdef…, one
 * object per content, named by its hash in hexadecimal digits. All boots and runs of a log share
 * them.
 *
 *   object   = Zstandard frames (RFC 8878) of: the file's length, piece*
 *   piece    = its number << 16 | mask, then its pages whose bits the mask has
 *
 * Numbers have 64 bits, little endian. Piece n is the file's KP_OBJECT_PIECE bytes from n times
 * that on, in 16 pages of 4096 bytes, of which the file's last one may be shorter. Pages of zeros,
 * and pieces of nothing else, are left out, so that a content has one form wherever its holes are.
 * The name is the BLAKE2b of 32 bytes of the unpacked bytes: `zstd -dc | b2sum -l 256` prints it.
 */
#ifndef KP_LOG_OBJECT_H
#define KP_LOG_OBJECT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define KP_OBJECT_FOLDER "objects"
#define KP_OBJECT_PIECE 65536u
#define KP_OBJECT_HASH_LEN 32
#define KP_OBJECT_NAME_LEN (2 * KP_OBJECT_HASH_LEN + 2) /* "ab/cdef…" with its NUL */

struct kp_object {
	unsigned char hash[KP_OBJECT_HASH_LEN];
	uint64_t len; /* of the unpacked bytes */
};

/* The begin of its hash, for maps: another object may have the same. */
uint64_t kp_object_key(const struct kp_object *object);

/* Its name in the folder. */
void kp_object_name(const struct kp_object *object, char name[KP_OBJECT_NAME_LEN]);

/* --- reading (object.c); the objects are taken as a stranger's --- */

/* Opens the folder of the objects of a log, whose path is as for kp_log_open. The descriptor, which
 * also stands for it where none is there: -ENOENT, or -errno. */
int kp_objects_open(const char *log);

/* Bytes that an object takes on the disk; errors as below. */
int kp_object_disk_len(int objects_fd, const struct kp_object *object, uint64_t *ret_len,
		       const char **ret_why);

/* Takes a page that is not zero; a negative errno ends the reading. */
typedef int (*kp_object_page)(void *arg, uint64_t offset, const unsigned char *data, size_t len);

/*
 * Reads an object and gives its pages to `page` (NULL: to nobody), in their order: to be thrown
 * away unless this returns 0, since the hash is known only then. file_len: of the file, or
 * KP_OBJECT_ANY_LEN. It takes no more time and memory than object->len bytes need. -ENOENT,
 * -EBADMSG: it is not there or is not what its name says, *ret_why (static text) says how; other
 * -errno, that of page included.
 */
#define KP_OBJECT_ANY_LEN UINT64_MAX
int kp_object_read(int objects_fd, const struct kp_object *object, uint64_t file_len,
		   kp_object_page page, void *arg, const char **ret_why);

/* --- writing (object_write.c), in one thread --- */

struct kp_objects;

/* Makes the folder in that of a log, which log_fd is and this writer alone writes to. */
int kp_objects_make(int log_fd, const char *log, struct kp_objects **ret_objects,
		    struct kp_err *err);

/* A content to be kept. It is read twice at most: for its name, and to write it. */
struct kp_object_source {
	uint64_t len; /* of the file */
	/*
	 * The next piece at or behind *at that may have more than zeros: its begin in *at, its
	 * bytes, all up to the file's end, in piece. Their number, 0 behind the last one, or a
	 * negative errno.
	 */
	ssize_t (*next)(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE]);
	void *arg;
};

/*
 * Keeps a content, unless it is there and is whole. Whenever the writer is killed, the object is
 * there as a whole or not at all; no more than some MiB of it are on their way to the disk. 0;
 * -ESTALE: the source had other bytes the second time; what next returned; otherwise the -errno of
 * writing, and only then with err.
 */
int kp_objects_put(struct kp_objects *objects, const struct kp_object_source *source,
		   struct kp_object *ret_object, struct kp_err *err);

/* Bytes and number of the objects written so far; for any thread. */
uint64_t kp_objects_written(const struct kp_objects *objects);
uint64_t kp_objects_cnt(const struct kp_objects *objects);

/* Brings the names to disk, and frees. NULL is fine. */
void kp_objects_free(struct kp_objects *objects);

#endif
