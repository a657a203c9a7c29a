/* SPDX-License-Identifier: MIT
 *
 * The bytes of a segment; kprobe/log_format.def has those of its headers. Its header text is a JSON
 * object with
 *
 *   machine_id, node, boot_id, kernel
 *   boot_number  grows from boot to boot within the directory, by which the newest is found
 *   run          hex number of the recorder's run, in all its segments
 *   previous     {"blocks":N}: what the run's segment before this one held; absent in its first
 *   options      what the recorder was told
 *   groups       names of the groups of events, by number
 *   schema       as kp_event_print_schema makes it
 *
 * Behind it stand the blocks, without space between them, and behind those of a segment that was
 * sealed the index, which is all their headers with their counts once more, one behind the other,
 * packed as one Zstandard frame, and the seal. Where they are missing (a recorder was killed, or
 * had no room), or not as the seal says, the headers are read where they stand.
 *
 * Invariants: a block is written by one call, after the one before was written whole; what a failed
 * write left is cut off. So a file is a run of whole blocks and at most one torn one behind it.
 * Where that does not hold (a disk's fault, an editor), the next good block is looked for by its
 * magic, salt and checksum.
 */
#include "log/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/blake2b.h"
#include "base/crc32c.h"
#include "base/limit.h"

#define SUFFIX ".kpl"
#define SEARCH_LEN (64u * 1024u)

void kp_seg_name(uint64_t sequence, char name[KP_SEG_NAME_MAX])
{
	snprintf(name, KP_SEG_NAME_MAX, "%08" PRIu64 SUFFIX, sequence);
}

bool kp_seg_parse_name(const char *name, uint64_t *ret_sequence)
{
	size_t digits = strspn(name, "0123456789");

	if (digits < 8 || digits > 19 || strcmp(name + digits, SUFFIX))
		return false;
	*ret_sequence = strtoull(name, NULL, 10);
	return true;
}

int kp_seg_find_last(int dir_fd, uint64_t *ret_sequence)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t last = 0, sequence;
	struct dirent *entry;
	int r = -errno;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)))
		if (kp_seg_parse_name(entry->d_name, &sequence) && sequence > last)
			last = sequence;
	closedir(dir);
	*ret_sequence = last;
	return 0;
}

int kp_seg_write(int fd, struct iovec *iov, int iov_cnt, uint64_t offset)
{
	ssize_t n;

	while (iov_cnt > 0) {
		n = pwritev(fd, iov, iov_cnt, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		offset += (uint64_t)n;
		for (; iov_cnt > 0 && (size_t)n >= iov->iov_len; iov++, iov_cnt--)
			n -= (ssize_t)iov->iov_len;
		if (iov_cnt > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int64_t kp_seg_read(int fd, void *data, size_t len, uint64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

/* Checksum of a header that has its own in the four bytes at `at`. */
static uint32_t crc_without(const void *data, size_t len, size_t at)
{
	static const uint32_t zero;
	const char *bytes = data;
	uint32_t crc = kp_crc32c(0, bytes, at);

	crc = kp_crc32c(crc, &zero, sizeof(zero));
	return kp_crc32c(crc, bytes + at + sizeof(zero), len - at - sizeof(zero));
}

static uint32_t seg_hdr_crc(const union kp_seg_head *head)
{
	return crc_without(head, head->hdr.len, offsetof(struct kp_seg_hdr, crc));
}

static uint32_t block_hdr_crc(const union kp_block_head *head)
{
	return crc_without(head, head->hdr.len, offsetof(struct kp_block_hdr, crc));
}

/* at: of the record, whose end is as we know it. */
static uint32_t seal_crc(const void *at, size_t len)
{
	return crc_without(at, len,
			   len - sizeof(struct kp_seg_seal) + offsetof(struct kp_seg_seal, crc));
}

void kp_seg_head_seal(union kp_seg_head *head)
{
	head->hdr.crc = seg_hdr_crc(head);
}

void kp_block_head_seal(union kp_block_head *head)
{
	head->hdr.crc = block_hdr_crc(head);
}

void kp_seg_seal_seal(struct kp_seg_seal *seal)
{
	seal->crc = seal_crc(seal, sizeof(*seal));
}

struct kp_hash kp_seg_hash(const void *data, size_t len)
{
	struct kp_hash hash;

	kp_blake2b(data, len, &hash, sizeof(hash));
	return hash;
}

bool kp_seg_hash_is(const struct kp_hash *hash, const void *data, size_t len)
{
	struct kp_hash is = kp_seg_hash(data, len);

	return !memcmp(&is, hash, sizeof(is));
}

const char *kp_end_reason_name(unsigned reason)
{
	static const char *const names[] = {
		[KP_END_CLOSED] = "closed",
		[KP_END_SIGNAL] = "interrupted",
		[KP_END_TIME] = "its time was over",
		[KP_END_COMMAND] = "its command had ended",
		[KP_END_FAILED] = "the recorder failed",
		[KP_END_FULL] = "its segment was full",
	};

	return reason < sizeof(names) / sizeof(*names) ? names[reason] : "unknown";
}

void kp_seg_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	/* Where there are no locks (some network file systems), readers see a log without an end.
	 */
	fcntl(fd, F_OFD_SETLK, &lock);
}

bool kp_seg_is_locked(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* n: bytes of the header that could be read. */
static const char *check_seg_hdr(const union kp_seg_head *head, int64_t n)
{
	const struct kp_seg_hdr *hdr = &head->hdr;

	if (n < (int64_t)sizeof(*hdr))
		return "the segment's header is cut";
	if (hdr->magic != KP_SEG_MAGIC)
		return "not a segment of a kprobe log";
	if (hdr->len < sizeof(*hdr) || hdr->len > KP_HDR_MAX || hdr->len % 8)
		return "the segment's header is damaged";
	if (n < hdr->len)
		return "the segment's header is cut";
	if (seg_hdr_crc(head) != hdr->crc)
		return "the segment's header is damaged";
	if (hdr->version != KP_LOG_VERSION)
		return "written in a format that this version does not know";
	if (hdr->text_len > KP_MAX_HEADER)
		return "the segment's header is damaged";
	return NULL;
}

static int read_text(int fd, const struct kp_seg_hdr *hdr, char **ret_text, const char **ret_why)
{
	char *text = malloc((size_t)hdr->text_len + 1);
	int64_t n = text ? kp_seg_read(fd, text, hdr->text_len, hdr->len) : -ENOMEM;

	if (n >= 0 && n < hdr->text_len)
		*ret_why = "the segment's header text is cut";
	else if (n >= 0 && !kp_seg_hash_is(&hdr->text, text, hdr->text_len))
		*ret_why = "the segment's header text is damaged";
	if (n < 0 || *ret_why) {
		free(text);
		return n < 0 ? (int)n : -EBADMSG;
	}
	text[hdr->text_len] = '\0';
	*ret_text = text;
	return 0;
}

int kp_seg_read_hdr(int fd, struct kp_seg_start *ret_start, char **ret_text, const char **ret_why)
{
	union kp_seg_head head;
	int64_t n = kp_seg_read(fd, &head, sizeof(head), 0);
	int r;

	if (n < 0)
		return (int)n;
	*ret_why = check_seg_hdr(&head, n);
	if (*ret_why)
		return -EBADMSG;
	r = read_text(fd, &head.hdr, ret_text, ret_why);
	if (r < 0)
		return r;
	ret_start->hdr = head.hdr;
	ret_start->hash = kp_seg_hash(&head, head.hdr.len);
	return 0;
}

bool kp_seg_is_hdr_torn(int fd, uint64_t file_len)
{
	struct kp_seg_hdr hdr = {0}, zero = {0};

	if (kp_seg_read(fd, &hdr, sizeof(hdr), 0) < 0)
		return false;
	if (file_len < sizeof(hdr) || !memcmp(&hdr, &zero, sizeof(hdr)))
		return true;
	return hdr.magic == KP_SEG_MAGIC && hdr.len <= KP_HDR_MAX &&
	       hdr.text_len <= KP_MAX_HEADER && file_len < (uint64_t)hdr.len + hdr.text_len;
}

/* Reads the seal, if the file has one. */
static bool read_seal(int fd, uint64_t salt, uint64_t file_len, struct kp_seg_seal *ret_seal)
{
	unsigned char bytes[KP_HDR_MAX];
	struct kp_seg_seal *seal = ret_seal;

	if (file_len < sizeof(*seal) ||
	    kp_seg_read(fd, seal, sizeof(*seal), file_len - sizeof(*seal)) != sizeof(*seal) ||
	    seal->magic != KP_END_MAGIC || seal->salt != salt)
		return false;
	if (seal->len < sizeof(*seal) || seal->len > KP_HDR_MAX || seal->len > file_len ||
	    kp_seg_read(fd, bytes, seal->len, file_len - seal->len) != seal->len)
		return false;
	return seal_crc(bytes, seal->len) == seal->crc;
}

void kp_seg_scan_init(struct kp_seg_scan *scan, int fd, const struct kp_seg_start *start,
		      uint64_t file_len)
{
	uint64_t behind;

	*scan = (struct kp_seg_scan){
		.fd = fd,
		.salt = start->hdr.salt,
		.pos = start->hdr.len + start->hdr.text_len,
		.end = file_len,
		.prev = start->hash,
	};
	if (!read_seal(fd, scan->salt, file_len, &scan->seal))
		return;
	behind = (uint64_t)scan->seal.len + scan->seal.index_len;
	scan->has_seal = file_len >= behind && file_len - behind >= scan->pos;
	scan->end -= scan->has_seal ? behind : 0;
}

/* The bytes of the index, unpacked; they are not believed yet. NULL: not to be had. */
static unsigned char *unpack_index(const struct kp_seg_scan *scan, uint64_t max)
{
	const struct kp_seg_seal *seal = &scan->seal;
	unsigned char *packed = NULL, *heads = NULL;
	size_t len = seal->headers_len;
	bool ok = false;

	if (seal->index_len > max || seal->headers_len > max || seal->headers_len > KP_MAX_INDEX)
		return NULL;
	packed = malloc(seal->index_len + 1ul);
	heads = malloc(len + 1);
	if (packed && heads &&
	    kp_seg_read_hashed(scan->fd, scan->end, seal->index_len, &seal->index, packed) >= 0) {
		if (seal->index_len == len)
			memcpy(heads, packed, len);
		ok = seal->index_len == len ||
		     ZSTD_decompress(heads, len, packed, seal->index_len) == len;
	}
	free(packed);
	if (!ok) {
		free(heads);
		heads = NULL;
	}
	return heads;
}

/* Whether the index leads from the first block to the last, to where it stands itself. */
static bool is_whole(struct kp_seg_scan scan)
{
	struct kp_seg_item item;
	int r;

	while ((r = kp_seg_scan_next(&scan, &item)) > 0)
		if (item.is_gap)
			return false;
	return r == 0 && scan.next_sequence == scan.seal.block_cnt && !scan.heads_left &&
	       !memcmp(&scan.prev, &scan.seal.prev, sizeof(scan.prev));
}

bool kp_seg_scan_use_index(struct kp_seg_scan *scan, uint64_t max)
{
	unsigned char *heads = unpack_index(scan, max);
	struct kp_seg_scan plain = *scan;

	if (!heads)
		return false;
	scan->heads = heads;
	scan->next_head = heads;
	scan->heads_left = scan->seal.headers_len;
	if (is_whole(*scan))
		return true;
	free(heads);
	*scan = plain;
	return false;
}

void kp_seg_scan_skip(struct kp_seg_scan *scan)
{
	scan->pos = scan->end;
	scan->next_sequence = scan->seal.block_cnt;
	scan->prev = scan->seal.prev;
}

void kp_seg_scan_done(struct kp_seg_scan *scan)
{
	free(scan->heads);
}

static const char *check_lengths(const struct kp_block_hdr *hdr, uint64_t avail)
{
	if (!hdr->event_cnt || hdr->raw_len > KP_BLOCK_RAW_MAX || hdr->stored_len > KP_STORED_MAX ||
	    hdr->first_ns > hdr->last_ns)
		return "the block's header is impossible";
	if (hdr->raw_len > (uint64_t)hdr->stored_len * KP_MAX_UNPACKED)
		return "the block claims to unpack to more than 64 times its length";
	if (hdr->len > avail || hdr->stored_len > avail - hdr->len)
		return "the block is cut";
	return NULL;
}

/* NULL if n bytes hold the whole header of a block which may follow; avail: up to the end of the
 * blocks, at least n. */
static const char *check_block(const struct kp_seg_scan *scan, const union kp_block_head *head,
			       uint64_t n, uint64_t avail)
{
	const struct kp_block_hdr *hdr = &head->hdr;

	if (n < sizeof(*hdr))
		return "the block is cut";
	if (hdr->magic != KP_BLOCK_MAGIC || hdr->salt != scan->salt)
		return "no block begins here";
	if (hdr->len < sizeof(*hdr) + 8u * hdr->lost_cnt || hdr->len > KP_HDR_MAX || hdr->len % 8)
		return "the block's header is damaged";
	if (n < hdr->len)
		return "the block is cut";
	if (block_hdr_crc(head) != hdr->crc)
		return "the block's header is damaged";
	if (hdr->sequence < scan->next_sequence)
		return "an older block stands here";
	return check_lengths(hdr, avail);
}

/* First offset from `from` that the file system holds: a hole has no block. */
static uint64_t skip_hole(const struct kp_seg_scan *scan, uint64_t from)
{
	off_t at = lseek(scan->fd, (off_t)from, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? scan->end : from;
	return (uint64_t)at;
}

/* First offset from `from` at which a good block stands, with its header; scan->end: none. */
static int find_block(const struct kp_seg_scan *scan, uint64_t from, uint64_t *ret_offset,
		      union kp_block_head *ret_head)
{
	static const kp_u32 magic = KP_BLOCK_MAGIC;
	char *data = malloc(SEARCH_LEN + KP_HDR_MAX), *at;
	uint64_t left, len;
	int64_t n = 0;

	if (!data)
		return -ENOMEM;
	for (*ret_offset = scan->end; from < scan->end; from += SEARCH_LEN) {
		from = skip_hole(scan, from);
		if (from >= scan->end)
			break;
		left = scan->end - from;
		n = kp_seg_read(scan->fd, data,
				left < SEARCH_LEN + KP_HDR_MAX ? left : SEARCH_LEN + KP_HDR_MAX,
				from);
		if (n < 0)
			break;
		for (at = data; (at = memmem(at, (size_t)(data + n - at), &magic, sizeof(magic))) &&
				at < data + SEARCH_LEN;
		     at++) {
			len = (uint64_t)(data + n - at);
			memcpy(ret_head, at, len < KP_HDR_MAX ? len : KP_HDR_MAX);
			if (check_block(scan, ret_head, len, left - (uint64_t)(at - data)))
				continue;
			*ret_offset = from + (uint64_t)(at - data);
			free(data);
			return 0;
		}
	}
	free(data);
	return n < 0 ? (int)n : 0;
}

static void set_gap(struct kp_seg_item *item, uint64_t offset, uint64_t len, const char *why)
{
	*item = (struct kp_seg_item){.is_gap = true, .offset = offset, .len = len, .why = why};
}

/* The block at scan->pos, whose header is scan->head. */
static int take_block(struct kp_seg_scan *scan, struct kp_seg_item *item)
{
	const struct kp_block_hdr *hdr = &scan->head.hdr;

	*item = (struct kp_seg_item){
		.offset = scan->pos,
		.len = hdr->len + (uint64_t)hdr->stored_len,
		.head = &scan->head,
	};
	scan->pos += item->len;
	scan->next_sequence = hdr->sequence + 1;
	scan->prev = kp_seg_hash(hdr, hdr->len);
	scan->has_pending = false;
	return 1;
}

/* The header of the block at scan->pos, from the index. */
static int64_t next_head(struct kp_seg_scan *scan)
{
	struct kp_block_hdr *hdr = &scan->head.hdr;
	size_t len = scan->heads_left < sizeof(*hdr) ? scan->heads_left : sizeof(*hdr);

	memcpy(hdr, scan->next_head, len);
	if (len == sizeof(*hdr) && hdr->len > len && hdr->len <= KP_HDR_MAX &&
	    hdr->len <= scan->heads_left) {
		len = hdr->len;
		memcpy(hdr, scan->next_head, len);
	}
	scan->next_head += len;
	scan->heads_left -= len;
	return (int64_t)len;
}

/* Reads the header at scan->pos: most have no counts, and payloads are not to be read. */
static int64_t read_head(struct kp_seg_scan *scan)
{
	struct kp_block_hdr *hdr = &scan->head.hdr;
	uint64_t avail = scan->end - scan->pos;
	int64_t n, more;

	if (scan->heads)
		return next_head(scan);
	n = kp_seg_read(scan->fd, hdr, avail < sizeof(*hdr) ? avail : sizeof(*hdr), scan->pos);
	if (n < (int64_t)sizeof(*hdr) || hdr->len <= sizeof(*hdr) || hdr->len > KP_HDR_MAX ||
	    hdr->len > avail)
		return n;
	more = kp_seg_read(scan->fd, hdr + 1, hdr->len - sizeof(*hdr), scan->pos + sizeof(*hdr));
	return more < 0 ? more : n + more;
}

int kp_seg_scan_next(struct kp_seg_scan *scan, struct kp_seg_item *ret_item)
{
	const struct kp_block_hdr *hdr = &scan->head.hdr;
	uint64_t gap = scan->pos;
	const char *why;
	int64_t n;

	if (scan->has_pending)
		return take_block(scan, ret_item);
	if (scan->pos >= scan->end)
		return 0;
	n = read_head(scan);
	if (n < 0)
		return (int)n;
	why = check_block(scan, &scan->head, (uint64_t)n, scan->end - scan->pos);
	if (why && scan->heads) {
		set_gap(ret_item, gap, 0, why);
		return 1;
	}
	if (why) {
		n = find_block(scan, scan->pos + 1, &scan->pos, &scan->head);
		if (n < 0)
			return (int)n;
		scan->has_pending = scan->pos < scan->end;
		set_gap(ret_item, gap, scan->pos - gap, why);
		return 1;
	}
	if (hdr->sequence == scan->next_sequence &&
	    !memcmp(&hdr->prev, &scan->prev, sizeof(scan->prev)))
		return take_block(scan, ret_item);
	set_gap(ret_item, gap, 0,
		hdr->sequence == scan->next_sequence
			? "the block before is not the one that was written"
			: "blocks are missing here");
	scan->has_pending = true;
	return 1;
}

int kp_seg_read_hashed(int fd, uint64_t offset, uint32_t len, const struct kp_hash *hash,
		       void *data)
{
	int64_t n = kp_seg_read(fd, data, len, offset);

	if (n < 0)
		return (int)n;
	return n == len && kp_seg_hash_is(hash, data, len) ? 0 : -EBADMSG;
}
