/* SPDX-License-Identifier: MIT
 * Segments that no recorder writes, with hashes and checksums right all the same.
 */
#ifndef KP_TEST_LOG_FORGE_H
#define KP_TEST_LOG_FORGE_H

#include <string.h>
#include <unistd.h>

#include "log/segment.h"

#define FORGE_SALT 9

struct forge {
	int fd;
	uint64_t pos;    /* behind what was written */
	uint64_t number; /* of blocks */
	struct kp_hash prev;
};

/* Writes header and text to fd; what the header's format asks for is filled in. 0 or -errno. */
static inline int forge_begin(struct forge *f, int fd, struct kp_seg_hdr hdr, const char *text,
			      size_t text_len)
{
	union kp_seg_head head = {.hdr = hdr};
	struct iovec iov[2] = {{&head, sizeof(hdr)}, {(void *)text, text_len}};

	head.hdr.magic = KP_SEG_MAGIC;
	head.hdr.version = KP_LOG_VERSION;
	head.hdr.len = sizeof(hdr);
	head.hdr.text_len = (uint32_t)text_len;
	head.hdr.salt = FORGE_SALT;
	head.hdr.text = kp_seg_hash(text, text_len);
	kp_seg_head_seal(&head);
	*f = (struct forge){
		.fd = fd, .pos = sizeof(hdr) + text_len, .prev = kp_seg_hash(&head, sizeof(hdr))};
	return kp_seg_write(fd, iov, 2, 0);
}

/* Appends a block of hdr.stored_len bytes; a block without kinds claims all. */
static inline int forge_block(struct forge *f, struct kp_block_hdr hdr, const void *stored)
{
	union kp_block_head head = {.hdr = hdr};
	struct iovec iov[2] = {{&head, sizeof(hdr)}, {(void *)stored, hdr.stored_len}};
	static const struct kp_set none;
	uint64_t pos = f->pos;

	head.hdr.magic = KP_BLOCK_MAGIC;
	head.hdr.len = sizeof(hdr);
	head.hdr.salt = FORGE_SALT;
	head.hdr.sequence = f->number++;
	head.hdr.prev = f->prev;
	head.hdr.payload = kp_seg_hash(stored, hdr.stored_len);
	if (!memcmp(&hdr.kinds, &none, sizeof(none)))
		memset(&head.hdr.kinds, 0xff, sizeof(head.hdr.kinds));
	kp_block_head_seal(&head);
	f->prev = kp_seg_hash(&head, sizeof(hdr));
	f->pos += sizeof(hdr) + hdr.stored_len;
	return kp_seg_write(f->fd, iov, 2, pos);
}

/* Writes the seal, without an index, and closes the file. */
static inline int forge_end(struct forge *f)
{
	struct kp_seg_seal seal = {.salt = FORGE_SALT,
				   .block_cnt = f->number,
				   .last_ns = UINT64_MAX,
				   .prev = f->prev,
				   .reason = KP_END_COMMAND,
				   .len = sizeof(seal),
				   .magic = KP_END_MAGIC};
	struct iovec iov = {&seal, sizeof(seal)};
	int r;

	memset(&seal.kinds, 0xff, sizeof(seal.kinds));
	kp_seg_seal_seal(&seal);
	r = kp_seg_write(f->fd, &iov, 1, f->pos);
	close(f->fd);
	return r;
}

#endif
