/* SPDX-License-Identifier: MIT
 *
 * The bytes of a segment, little endian throughout:
 *
 *   offset        length    what
 *   0             8         magic 7f 4b 52 50 53 45 47 31 ("\x7fKRPSEG1")
 *   8             4         version, 1
 *   12            4         text_len, at most 1 MiB
 *   16            8         salt, random; repeated by each block
 *   24            8         sequence: number of the segment in its boot, from 1, as in its name
 *   32            8         realtime_ns: CLOCK_REALTIME at creation
 *   40            8         time_ns: CLOCK_MONOTONIC at the same moment
 *   48            4         text_crc: CRC-32C of the text
 *   52            4         crc: CRC-32C of these 56 bytes with crc = 0
 *   56            text_len  the text: a JSON object with
 *                             node, boot_id, kernel
 *                             boot_number  grows from boot to boot within the directory, by which
 *                                       the newest is found
 *                             run       hex number of the recorder's run, in all its segments
 *                             previous  {"blocks":N}: what the run's segment before this one
 *                                       held; absent in a run's first
 *                             options   what the recorder was told
 *                             schema    as kp_event_print_schema makes it
 *   56+text_len             blocks, without space between them, and behind the last block of a
 *                           recorder's run its end
 *
 * and of a block:
 *
 *   0             4         magic 42 4c 4b 31 ("BLK1")
 *   4             2         version, 1
 *   6             1         codec: enum kp_codec
 *   7             1         zero
 *   8             8         the segment's salt
 *   16            8         sequence: number of the block in the segment, from 0, without holes
 *   24            8         first_ns, last_ns: smallest and largest time of its events
 *   32            8
 *   40            4         event_cnt, at least 1
 *   44            4         raw_len: length of the events as structs, at most 256 KiB
 *   48            4         stored_len: length of the payload, at most 256 KiB, at least
 *                           raw_len / KP_MAX_UNPACKED
 *   52            4         stream
 *   56            4         prev_crc: payload_crc of the block before, text_crc for the first
 *   60            4         payload_crc: CRC-32C of the payload
 *   64            8 × 12    lost on this stream since the recorder's start, per group
 *   160           4         zero
 *   164           4         crc: CRC-32C of these 168 bytes with crc = 0
 *   168           stored_len the payload, see codec.c
 *
 * and of a run's end, the last bytes of the file:
 *
 *   0             8         magic 7f 4b 52 50 45 4e 44 31 ("\x7fKRPEND1")
 *   8             8         the segment's salt
 *   16            8         number of blocks in the segment
 *   24            8         events of the run that may not be on disk, since a sync failed
 *   32            4         enum kp_end_reason
 *   36            4         the signal that ended it, or 0
 *   40            4         payload_crc of the last block; text_crc if there is none
 *   44            4         crc: CRC-32C of these 48 bytes with crc = 0
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

void kp_seg_hdr_seal(struct kp_seg_hdr *hdr)
{
	hdr->crc = 0;
	hdr->crc = kp_crc32c(0, hdr, sizeof(*hdr));
}

void kp_block_hdr_seal(struct kp_block_hdr *hdr)
{
	hdr->crc = 0;
	hdr->crc = kp_crc32c(0, hdr, sizeof(*hdr));
}

void kp_seg_end_seal(struct kp_seg_end *end)
{
	end->crc = 0;
	end->crc = kp_crc32c(0, end, sizeof(*end));
}

const char *kp_end_reason_name(unsigned reason)
{
	static const char *const names[] = {
		[KP_END_CLOSED] = "closed",
		[KP_END_SIGNAL] = "interrupted",
		[KP_END_TIME] = "its time was over",
		[KP_END_COMMAND] = "its command had ended",
		[KP_END_FAILED] = "the recorder failed",
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

static const char *check_seg_hdr(const struct kp_seg_hdr *hdr)
{
	struct kp_seg_hdr copy = *hdr;

	if (hdr->magic != KP_SEG_MAGIC)
		return "not a segment of a kprobe log";
	kp_seg_hdr_seal(&copy);
	if (copy.crc != hdr->crc)
		return "the segment's header is damaged";
	if (hdr->version != KP_LOG_VERSION)
		return "written in a format that this version does not know";
	if (hdr->text_len > KP_MAX_HEADER)
		return "the segment's header is damaged";
	return NULL;
}

int kp_seg_read_hdr(int fd, struct kp_seg_hdr *ret_hdr, char **ret_text, const char **ret_why)
{
	struct kp_seg_hdr hdr;
	char *text;
	int64_t n = kp_seg_read(fd, &hdr, sizeof(hdr), 0);

	if (n < 0)
		return (int)n;
	*ret_why = n < (int64_t)sizeof(hdr) ? "the segment's header is cut" : check_seg_hdr(&hdr);
	if (*ret_why)
		return -EBADMSG;
	text = malloc((size_t)hdr.text_len + 1);
	if (!text)
		return -ENOMEM;
	n = kp_seg_read(fd, text, hdr.text_len, sizeof(hdr));
	if (n < 0) {
		free(text);
		return (int)n;
	}
	if (n < hdr.text_len)
		*ret_why = "the segment's header text is cut";
	else if (kp_crc32c(0, text, hdr.text_len) != hdr.text_crc)
		*ret_why = "the segment's header text is damaged";
	if (*ret_why) {
		free(text);
		return -EBADMSG;
	}
	text[hdr.text_len] = '\0';
	*ret_hdr = hdr;
	*ret_text = text;
	return 0;
}

bool kp_seg_is_hdr_torn(int fd, uint64_t file_len)
{
	struct kp_seg_hdr hdr = {0}, zero = {0};

	if (kp_seg_read(fd, &hdr, sizeof(hdr), 0) < 0)
		return false;
	if (file_len < sizeof(hdr) || !memcmp(&hdr, &zero, sizeof(hdr)))
		return true;
	return hdr.magic == KP_SEG_MAGIC && hdr.text_len <= KP_MAX_HEADER &&
	       file_len < sizeof(hdr) + hdr.text_len;
}

/* Reads the run's end, if the file has one. */
static bool read_end(int fd, uint64_t salt, uint64_t file_len, struct kp_seg_end *ret_end)
{
	struct kp_seg_end copy;

	if (file_len < sizeof(*ret_end) ||
	    kp_seg_read(fd, ret_end, sizeof(*ret_end), file_len - sizeof(*ret_end)) !=
		    sizeof(*ret_end))
		return false;
	copy = *ret_end;
	kp_seg_end_seal(&copy);
	return ret_end->magic == KP_END_MAGIC && ret_end->salt == salt && ret_end->crc == copy.crc;
}

void kp_seg_scan_init(struct kp_seg_scan *scan, int fd, const struct kp_seg_hdr *hdr,
		      uint64_t file_len)
{
	*scan = (struct kp_seg_scan){
		.fd = fd,
		.salt = hdr->salt,
		.pos = sizeof(*hdr) + hdr->text_len,
		.end = file_len,
		.prev_crc = hdr->text_crc,
	};
	scan->has_end = read_end(fd, hdr->salt, file_len, &scan->run_end) &&
			file_len - sizeof(scan->run_end) >= scan->pos;
	scan->end -= scan->has_end ? sizeof(scan->run_end) : 0;
}

/* NULL if the header, which lies at offset, is that of a whole block which may follow. */
static const char *check_block(const struct kp_seg_scan *scan, const struct kp_block_hdr *hdr,
			       uint64_t offset)
{
	struct kp_block_hdr copy;

	if (hdr->magic != KP_BLOCK_MAGIC || hdr->salt != scan->salt)
		return "no block begins here";
	copy = *hdr;
	kp_block_hdr_seal(&copy);
	if (copy.crc != hdr->crc)
		return "the block's header is damaged";
	if (hdr->version != KP_LOG_VERSION || !hdr->event_cnt || hdr->raw_len > KP_BLOCK_RAW_MAX ||
	    hdr->stored_len > KP_STORED_MAX || hdr->first_ns > hdr->last_ns)
		return "the block's header is impossible";
	if (hdr->raw_len > (uint64_t)hdr->stored_len * KP_MAX_UNPACKED)
		return "the block claims to unpack to more than 64 times its length";
	if (hdr->sequence < scan->next_sequence)
		return "an older block stands here";
	if (hdr->stored_len > scan->end - offset - sizeof(*hdr))
		return "the block is cut";
	return NULL;
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
		      struct kp_block_hdr *ret_hdr)
{
	static const kp_u32 magic = KP_BLOCK_MAGIC;
	char *data = malloc(SEARCH_LEN), *at;
	int64_t n;

	if (!data)
		return -ENOMEM;
	for (*ret_offset = scan->end; from + sizeof(*ret_hdr) <= scan->end;
	     from += (uint64_t)n - sizeof(*ret_hdr) + 1) {
		from = skip_hole(scan, from);
		n = kp_seg_read(scan->fd, data, SEARCH_LEN, from);
		if (n < (int64_t)sizeof(*ret_hdr)) {
			free(data);
			return n < 0 ? (int)n : 0; /* the file has become shorter */
		}
		for (at = data; (at = memmem(at, (size_t)(data + n - at), &magic, sizeof(magic)));
		     at++) {
			if (data + n - at < (ptrdiff_t)sizeof(*ret_hdr))
				break;
			memcpy(ret_hdr, at, sizeof(*ret_hdr));
			if (check_block(scan, ret_hdr, from + (uint64_t)(at - data)))
				continue;
			*ret_offset = from + (uint64_t)(at - data);
			free(data);
			return 0;
		}
	}
	free(data);
	return 0;
}

static void set_gap(struct kp_seg_item *item, uint64_t offset, uint64_t len, const char *why)
{
	*item = (struct kp_seg_item){.is_gap = true, .offset = offset, .len = len, .why = why};
}

static int take_block(struct kp_seg_scan *scan, const struct kp_block_hdr *hdr,
		      struct kp_seg_item *item)
{
	*item = (struct kp_seg_item){
		.offset = scan->pos,
		.len = sizeof(*hdr) + hdr->stored_len,
		.hdr = *hdr,
	};
	scan->pos += item->len;
	scan->next_sequence = hdr->sequence + 1;
	scan->prev_crc = hdr->payload_crc;
	scan->has_pending = false;
	return 1;
}

int kp_seg_scan_next(struct kp_seg_scan *scan, struct kp_seg_item *ret_item)
{
	uint64_t gap = scan->pos;
	struct kp_block_hdr hdr;
	const char *why;
	int64_t n;

	if (scan->has_pending) {
		hdr = scan->pending;
		return take_block(scan, &hdr, ret_item);
	}
	if (scan->pos >= scan->end)
		return 0;
	n = kp_seg_read(scan->fd, &hdr, sizeof(hdr), scan->pos);
	if (n < 0)
		return (int)n;
	if (n == (int64_t)sizeof(hdr) && scan->pos + sizeof(hdr) <= scan->end)
		why = check_block(scan, &hdr, scan->pos);
	else
		why = "the block is cut";
	if (why) {
		n = find_block(scan, scan->pos + 1, &scan->pos, &scan->pending);
		if (n < 0)
			return (int)n;
		scan->has_pending = scan->pos < scan->end;
		set_gap(ret_item, gap, scan->pos - gap, why);
		return 1;
	}
	if (hdr.sequence == scan->next_sequence && hdr.prev_crc == scan->prev_crc)
		return take_block(scan, &hdr, ret_item);
	set_gap(ret_item, gap, 0,
		hdr.sequence == scan->next_sequence
			? "the block before is not the one that was written"
			: "blocks are missing here");
	scan->pending = hdr;
	scan->has_pending = true;
	return 1;
}

int kp_seg_read_payload(int fd, uint64_t offset, const struct kp_block_hdr *hdr, void *data)
{
	int64_t n = kp_seg_read(fd, data, hdr->stored_len, offset + sizeof(*hdr));

	if (n < 0)
		return (int)n;
	if (n < hdr->stored_len || kp_crc32c(0, data, hdr->stored_len) != hdr->payload_crc)
		return -EBADMSG;
	return 0;
}
