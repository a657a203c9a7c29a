/* SPDX-License-Identifier: MIT
 *
 * Names of objects, and reading them; see object.h.
 *
 * What a stranger's object can ask for is bound by its unpacked length, which the log says and the
 * caller has agreed to: no byte is taken behind it, the file is no longer than such a content can
 * be, and each page that is taken has something other than zeros.
 */
#include "log/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/blake2b.h"
#include "log/boots.h"
#include "log/folder.h"
#include "log/object_in.h"
#include "log/segment.h"

#define STORED_LEN 65536u

uint64_t kp_object_key(const struct kp_object *object)
{
	uint64_t key;

	memcpy(&key, object->hash, sizeof(key));
	return key;
}

void kp_object_name(const struct kp_object *object, char name[KP_OBJECT_NAME_LEN])
{
	char *at = name;

	for (unsigned i = 0; i < KP_OBJECT_HASH_LEN; i++)
		at += sprintf(at, i ? "%02x" : "%02x/", object->hash[i]);
}

/* --- the folder --- */

int kp_objects_open(const char *log)
{
	int log_fd = kp_boots_open_log(log), fd;

	if (log_fd < 0)
		return log_fd;
	fd = kp_folder_open(log_fd, KP_OBJECT_FOLDER);
	close(log_fd);
	return fd;
}

/* --- the file --- */

/* Without following a link, at either of the two steps. */
static int open_object(int objects_fd, const struct kp_object *object, struct stat *ret_st,
		       const char **ret_why)
{
	char name[KP_OBJECT_NAME_LEN];
	int folder, fd;

	kp_object_name(object, name);
	name[2] = '\0';
	*ret_why = "it is not there";
	folder = kp_folder_open(objects_fd, name);
	if (folder < 0)
		return kp_folder_is_fault(folder) ? folder : -ENOENT;
	fd = kp_folder_open_file(folder, name + 3, O_RDONLY);
	close(folder);
	if (fd >= 0 && fstat(fd, ret_st) < 0) {
		close(fd);
		fd = -EIO;
	}
	if (fd < 0 && fd != -ENOENT && !kp_folder_is_fault(fd)) {
		*ret_why = "it cannot be opened as a regular file";
		fd = -EBADMSG;
	}
	return fd;
}

int kp_object_disk_len(int objects_fd, const struct kp_object *object, uint64_t *ret_len,
		       const char **ret_why)
{
	struct stat st;
	int fd = open_object(objects_fd, object, &st, ret_why);

	if (fd < 0)
		return fd;
	close(fd);
	*ret_len = (uint64_t)st.st_blocks * 512;
	/* Some file systems don't say. */
	if (!*ret_len || *ret_len > (uint64_t)st.st_size)
		*ret_len = (uint64_t)st.st_size;
	return 0;
}

/* --- the content --- */

struct unpacking {
	int fd;
	uint64_t pos;      /* in the file */
	uint64_t left;     /* unpacked bytes that may still come */
	bool at_frame_end; /* where the file may end */
	uint64_t frame_at; /* begin of the frame that is unpacked */
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer in;
	struct kp_blake2b hash;
	const char **ret_why;
	unsigned char stored[STORED_LEN];
	unsigned char page[KP_OBJECT_PAGE];
};

static int damaged(struct unpacking *u, const char *why)
{
	*u->ret_why = why;
	return -EBADMSG;
}

/* Reads on in the file; 0 at its end. */
static int64_t refill(struct unpacking *u)
{
	int64_t n = kp_seg_read(u->fd, u->stored, STORED_LEN, u->pos);

	if (n == -EIO)
		return damaged(u, "the disk cannot read it");
	if (n > 0) {
		u->pos += (uint64_t)n;
		u->in = (ZSTD_inBuffer){u->stored, (size_t)n, 0};
	}
	return n;
}

static int check_zeros(struct unpacking *u, uint64_t at, uint64_t end)
{
	unsigned char bytes[4096];
	size_t len;

	for (; at < end; at += len) {
		len = end - at < sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);
		if (kp_seg_read(u->fd, bytes, len, at) != (int64_t)len)
			return damaged(u, "the disk cannot read it");
		if (!kp_object_is_zero(bytes, len))
			return damaged(u, "it has bytes that no recorder writes");
	}
	return 0;
}

/* A frame that is skipped has no hash; it has zeros. */
static int end_frame(struct unpacking *u)
{
	uint64_t end = u->pos - (u->in.size - u->in.pos), at = u->frame_at;
	uint32_t head[2];

	u->frame_at = end;
	if (kp_seg_read(u->fd, head, sizeof(head), at) != sizeof(head) ||
	    (head[0] & KP_OBJECT_PAD_MASK) != KP_OBJECT_PAD_MAGIC)
		return 0;
	if (head[0] != KP_OBJECT_PAD_MAGIC)
		return damaged(u, "it has bytes that no recorder writes");
	return check_zeros(u, at + sizeof(head), end);
}

/* Unpacks up to len bytes, fewer only at the end. Their number, or -errno. */
static int64_t unpack(struct unpacking *u, void *data, size_t len)
{
	ZSTD_outBuffer out = {data, len, 0};
	int64_t n;
	size_t r;

	while (out.pos < len) {
		if (u->in.pos == u->in.size) {
			n = refill(u);
			if (n < 0)
				return n;
			if (n == 0 && u->at_frame_end)
				break;
			if (n == 0)
				return damaged(u, "it is cut off");
		}
		r = ZSTD_decompressStream(u->zstd, &out, &u->in);
		if (ZSTD_isError(r))
			return damaged(u, "it does not unpack");
		u->at_frame_end = r == 0;
		n = u->at_frame_end ? end_frame(u) : 0;
		if (n < 0)
			return n;
	}
	if (out.pos > u->left)
		return damaged(u, "it is longer than the log says");
	u->left -= out.pos;
	kp_blake2b_add(&u->hash, data, out.pos);
	return (int64_t)out.pos;
}

/* All of it, or the object is damaged. */
static int unpack_all(struct unpacking *u, void *data, size_t len)
{
	int64_t n = unpack(u, data, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : damaged(u, "it ends too early");
}

static int read_page(struct unpacking *u, uint64_t offset, uint64_t file_len, kp_object_page page,
		     void *arg)
{
	size_t len = KP_OBJECT_PAGE;
	int r;

	if (offset >= file_len)
		return damaged(u, "it has bytes behind the file's end");
	if (file_len - offset < len)
		len = (size_t)(file_len - offset);
	r = unpack_all(u, u->page, len);
	if (r < 0)
		return r;
	if (kp_object_is_zero(u->page, len))
		return damaged(u, "it has a page of zeros");
	return page ? page(arg, offset, u->page, len) : 0;
}

/* 1; 0 at the end. *next: least number that the piece may have. */
static int read_piece(struct unpacking *u, uint64_t *next, uint64_t file_len, kp_object_page page,
		      void *arg)
{
	uint64_t head, number;
	int64_t n = unpack(u, &head, sizeof(head));
	int r = 0;

	if (n <= 0)
		return (int)n;
	number = head >> KP_OBJECT_PAGES;
	if (n != sizeof(head) || number < *next || !(head & ((1u << KP_OBJECT_PAGES) - 1)))
		return damaged(u, "its pieces are out of order");
	*next = number + 1;
	for (unsigned i = 0; i < KP_OBJECT_PAGES && r >= 0; i++)
		if (head >> i & 1)
			r = read_page(u, number * KP_OBJECT_PIECE + i * KP_OBJECT_PAGE, file_len,
				      page, arg);
	return r < 0 ? r : 1;
}

static int read_content(struct unpacking *u, const struct kp_object *object, uint64_t file_len,
			kp_object_page page, void *arg)
{
	unsigned char hash[KP_OBJECT_HASH_LEN];
	uint64_t len, next = 0;
	int r = unpack_all(u, &len, sizeof(len));

	if (r >= 0 && file_len != KP_OBJECT_ANY_LEN && len != file_len)
		r = damaged(u, "it is of a file of another length");
	if (r >= 0)
		r = 1;
	while (r == 1)
		r = read_piece(u, &next, len, page, arg);
	if (r < 0)
		return r;
	kp_blake2b_end(&u->hash, hash);
	if (u->left || memcmp(hash, object->hash, sizeof(hash)))
		return damaged(u, "its bytes have another hash");
	return 0;
}

/* No writer makes a longer one; zeros behind the frame are at most a part of the content. */
static bool is_length_possible(const struct kp_object *object, const struct stat *st)
{
	return object->len <= SIZE_MAX / 2 &&
	       (uint64_t)st->st_size <=
		       ZSTD_compressBound((size_t)object->len) + object->len / 256 + STORED_LEN;
}

int kp_object_read(int objects_fd, const struct kp_object *object, uint64_t file_len,
		   kp_object_page page, void *arg, const char **ret_why)
{
	struct unpacking *u;
	struct stat st;
	int fd = open_object(objects_fd, object, &st, ret_why), r = -ENOMEM;

	if (fd < 0)
		return fd;
	u = calloc(1, sizeof(*u));
	if (u)
		*u = (struct unpacking){.fd = fd,
					.left = object->len,
					.at_frame_end = true,
					.zstd = ZSTD_createDCtx(),
					.ret_why = ret_why};
	if (u && u->zstd) {
		ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, KP_OBJECT_WINDOW_LOG);
		kp_blake2b_init(&u->hash, KP_OBJECT_HASH_LEN);
		r = is_length_possible(object, &st)
			    ? read_content(u, object, file_len, page, arg)
			    : damaged(u, "it is longer than its content can be");
	}
	if (u)
		ZSTD_freeDCtx(u->zstd);
	free(u);
	close(fd);
	return r;
}
