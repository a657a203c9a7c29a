/* SPDX-License-Identifier: MIT
 *
 * Writing objects; see object.h.
 *
 * One object at a time is written under one temporary name, synced, and renamed: what a killed
 * writer leaves there the next one removes. Whoever writes holds the log's lock, so nobody else has
 * use for that name.
 *
 * The bytes are packed: of what programs map, Zstandard's first level leaves about two fifths, at
 * half the speed of the hash, and fewer bytes are taken from the disk of the events. Whoever maps a
 * file that packs too well gets zeros behind it (in a skippable frame), as blocks do: a reader that
 * bounds what it unpacks by what it reads takes every object.
 */
#include "log/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/blake2b.h"
#include "kprobe/log_format.h"
#include "log/folder.h"
#include "log/object_in.h"

#define TEMPORARY "new"
#define OUT_LEN 262144u
/* So many bytes are brought to disk before more than as many again are written. */
#define FLIGHT_LEN (4u << 20)

struct kp_objects {
	char *log; /* for errors' texts */
	int log_fd, fd;
	bool is_dirty[256]; /* folders with new names */
	_Atomic uint64_t written, cnt;

	/* The object that is put. */
	struct kp_blake2b hash;
	uint64_t len; /* unpacked so far */
	bool is_writing;
	int out_fd;
	int error;                   /* of writing */
	uint64_t out_len;            /* in the file */
	uint64_t flight_at, sent_at; /* what is before is on disk, is on its way */
	ZSTD_CCtx *zstd;
	ZSTD_outBuffer out;
	unsigned char packed[OUT_LEN];
	unsigned char piece[KP_OBJECT_PIECE];
};

/* --- the file --- */

/* A file system that cannot do it in parts does it with the sync at the end. */
static void bound_flight(struct kp_objects *o)
{
	if (o->out_len - o->sent_at < FLIGHT_LEN)
		return;
	sync_file_range(o->out_fd, (off_t)o->sent_at, (off_t)(o->out_len - o->sent_at),
			SYNC_FILE_RANGE_WRITE);
	if (o->sent_at > o->flight_at)
		sync_file_range(o->out_fd, (off_t)o->flight_at, (off_t)(o->sent_at - o->flight_at),
				SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					SYNC_FILE_RANGE_WAIT_AFTER);
	o->flight_at = o->sent_at;
	o->sent_at = o->out_len;
}

static void write_out(struct kp_objects *o, const unsigned char *data, size_t len)
{
	ssize_t n;

	while (len && !o->error) {
		n = write(o->out_fd, data, len);
		if (n <= 0) {
			o->error = n < 0 && errno == EINTR ? 0 : n < 0 ? -errno : -EIO;
			continue;
		}
		data += n;
		len -= (size_t)n;
		o->out_len += (uint64_t)n;
		o->written += (uint64_t)n;
	}
	bound_flight(o);
}

static void pack(struct kp_objects *o, const void *data, size_t len, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = {data, len, 0};
	size_t left;

	do {
		left = ZSTD_compressStream2(o->zstd, &o->out, &in, end);
		if (ZSTD_isError(left)) {
			o->error = -ENOMEM; /* it has no other */
			return;
		}
		if (o->out.pos == o->out.size || (end == ZSTD_e_end && !left)) {
			write_out(o, o->packed, o->out.pos);
			o->out.pos = 0;
		}
	} while (!o->error && (end == ZSTD_e_end ? left > 0 : in.pos < in.size));
}

/* Zeros up to the least length that a reader takes for so long a content. */
static void pad(struct kp_objects *o)
{
	uint32_t head[2] = {KP_OBJECT_PAD_MAGIC, 0};
	uint64_t least = o->len / KP_PACK_MAX, len, n;

	if (o->error || o->out_len + sizeof(head) >= least)
		return;
	len = least - o->out_len - sizeof(head);
	head[1] = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
	write_out(o, (const unsigned char *)head, sizeof(head));
	memset(o->packed, 0, sizeof(o->packed));
	for (len = head[1]; len && !o->error; len -= n) {
		n = len < OUT_LEN ? len : OUT_LEN;
		write_out(o, o->packed, n);
	}
}

/* --- the content --- */

static void emit(struct kp_objects *o, const void *data, size_t len)
{
	o->len += len;
	kp_blake2b_add(&o->hash, data, len);
	if (o->is_writing && !o->error)
		pack(o, data, len, ZSTD_e_continue);
}

static void emit_piece(struct kp_objects *o, uint64_t at, size_t len)
{
	uint64_t head = at / KP_OBJECT_PIECE << KP_OBJECT_PAGES;
	const unsigned bits = (1u << KP_OBJECT_PAGES) - 1;
	size_t from, n;

	for (unsigned i = 0; i * KP_OBJECT_PAGE < len; i++) {
		from = i * KP_OBJECT_PAGE;
		n = len - from < KP_OBJECT_PAGE ? len - from : KP_OBJECT_PAGE;
		if (!kp_object_is_zero(o->piece + from, n))
			head |= 1ull << i;
	}
	if (!(head & bits))
		return;
	emit(o, &head, sizeof(head));
	for (unsigned i = 0; i * KP_OBJECT_PAGE < len; i++) {
		from = i * KP_OBJECT_PAGE;
		n = len - from < KP_OBJECT_PAGE ? len - from : KP_OBJECT_PAGE;
		if (head >> i & 1)
			emit(o, o->piece + from, n);
	}
}

/* Reads the source from its begin to its end, or until writing fails. */
static int take_source(struct kp_objects *o, const struct kp_object_source *source,
		       struct kp_object *ret_object)
{
	uint64_t at = 0;
	ssize_t n = 0;

	o->len = 0;
	kp_blake2b_init(&o->hash, KP_OBJECT_HASH_LEN);
	emit(o, &source->len, sizeof(source->len));
	while (!o->error && (n = source->next(source->arg, &at, o->piece)) > 0) {
		emit_piece(o, at, (size_t)n);
		at += KP_OBJECT_PIECE;
	}
	kp_blake2b_end(&o->hash, ret_object->hash);
	ret_object->len = o->len;
	return n < 0 ? (int)n : 0;
}

/* --- putting --- */

static int begin_file(struct kp_objects *o)
{
	unlinkat(o->fd, TEMPORARY, 0);
	o->out_fd = openat(o->fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			   0600);
	if (o->out_fd < 0)
		return -errno;
	o->out_len = o->flight_at = o->sent_at = 0;
	o->error = 0;
	o->out = (ZSTD_outBuffer){o->packed, sizeof(o->packed), 0};
	ZSTD_CCtx_reset(o->zstd, ZSTD_reset_session_only);
	o->is_writing = true;
	return 0;
}

/* Gives the file, whose bytes are on disk then, its name. */
static int name_file(struct kp_objects *o, const struct kp_object *object, struct kp_err *err)
{
	char name[KP_OBJECT_NAME_LEN];
	int folder, r;

	kp_object_name(object, name);
	name[2] = '\0';
	r = kp_folder_make(o->fd, name, o->log, &folder, err);
	if (r < 0)
		return r;
	if (fsync(o->out_fd) < 0 || renameat(o->fd, TEMPORARY, folder, name + 3) < 0)
		r = kp_err_sys(err, -errno, "cannot keep a mapped file in %s/%s", o->log,
			       KP_OBJECT_FOLDER);
	close(folder);
	o->is_dirty[object->hash[0]] |= r >= 0;
	return r;
}

static int write_object(struct kp_objects *o, const struct kp_object_source *source,
			const struct kp_object *object, struct kp_err *err)
{
	struct kp_object again;
	int r = begin_file(o);

	if (r < 0)
		return kp_err_sys(err, r, "cannot make a file in %s/%s", o->log, KP_OBJECT_FOLDER);
	r = take_source(o, source, &again);
	o->is_writing = false;
	if (r >= 0 && !o->error)
		pack(o, NULL, 0, ZSTD_e_end);
	if (r >= 0)
		pad(o);
	if (r >= 0 && o->error)
		r = kp_err_sys(err, o->error, "cannot keep a mapped file in %s/%s", o->log,
			       KP_OBJECT_FOLDER);
	else if (r >= 0 && memcmp(again.hash, object->hash, sizeof(again.hash)) != 0)
		r = -ESTALE;
	if (r >= 0)
		r = name_file(o, object, err);
	close(o->out_fd);
	if (r < 0) {
		unlinkat(o->fd, TEMPORARY, 0);
		o->written -= o->out_len;
	}
	o->cnt += r >= 0;
	return r;
}

int kp_objects_put(struct kp_objects *objects, const struct kp_object_source *source,
		   struct kp_object *ret_object, struct kp_err *err)
{
	const char *why;
	int r;

	objects->error = 0;
	r = take_source(objects, source, ret_object);
	if (r < 0)
		return r;
	/* One that is damaged is written anew. */
	r = kp_object_read(objects->fd, ret_object, source->len, NULL, NULL, &why);
	return r == 0 ? 0 : write_object(objects, source, ret_object, err);
}

uint64_t kp_objects_written(const struct kp_objects *objects)
{
	return objects->written;
}

uint64_t kp_objects_cnt(const struct kp_objects *objects)
{
	return objects->cnt;
}

/* --- life --- */

/* Each folder that has a new name, then that of the folders. */
static void sync_names(const struct kp_objects *o)
{
	struct kp_object object = {{0}, 0};
	char name[KP_OBJECT_NAME_LEN];
	int fd;

	for (unsigned i = 0; i < 256; i++) {
		if (!o->is_dirty[i])
			continue;
		object.hash[0] = (unsigned char)i;
		kp_object_name(&object, name);
		name[2] = '\0';
		fd = kp_folder_open(o->fd, name);
		if (fd < 0)
			continue;
		fsync(fd);
		close(fd);
	}
	if (!o->cnt)
		return;
	fsync(o->fd);
	fsync(o->log_fd);
}

static void discard(struct kp_objects *o)
{
	if (o->fd >= 0)
		close(o->fd);
	if (o->log_fd >= 0)
		close(o->log_fd);
	ZSTD_freeCCtx(o->zstd);
	free(o->log);
	free(o);
}

int kp_objects_make(int log_fd, const char *log, struct kp_objects **ret_objects,
		    struct kp_err *err)
{
	struct kp_objects *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return kp_err_set(err, -ENOMEM, "out of memory");
	o->fd = -1;
	o->log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 0);
	o->log = strdup(log);
	o->zstd = ZSTD_createCCtx();
	if (o->log_fd < 0)
		r = kp_err_sys(err, -errno, "cannot keep mapped files in %s", log);
	else if (!o->log || !o->zstd)
		r = kp_err_set(err, -ENOMEM, "out of memory");
	else
		r = kp_folder_make(log_fd, KP_OBJECT_FOLDER, log, &o->fd, err);
	if (r < 0) {
		discard(o);
		return r;
	}
	ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_windowLog, KP_OBJECT_WINDOW_LOG);
	unlinkat(o->fd, TEMPORARY, 0); /* of one that was killed */
	*ret_objects = o;
	return 0;
}

void kp_objects_free(struct kp_objects *objects)
{
	if (!objects)
		return;
	sync_names(objects);
	discard(objects);
}
