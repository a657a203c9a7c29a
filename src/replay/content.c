/* SPDX-License-Identifier: MIT
 * The content of memory files; see content.h.
 *
 * memfd knows neither collapsing nor inserting nor zeroing of ranges. The first two lose their tail
 * by truncation, as on the file systems that have them: it takes the process's private copies of
 * those pages with it.
 */
#include "replay/content.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536u

/* linux/falloc.h, since Linux 6.17 */
#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

int kp_content_write(int fd, uint64_t offset, const void *data, size_t len)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data = (const char *)data + n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int64_t length(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int set_length(int fd, uint64_t len)
{
	return ftruncate(fd, (off_t)len) < 0 ? -errno : 0;
}

static int lengthen(int fd, uint64_t len)
{
	int64_t now = length(fd);

	if (now < 0)
		return (int)now;
	return len > (uint64_t)now ? set_length(fd, len) : 0;
}

/* Begin of the first byte from `from` on that is not in a hole; `end` if there is none. */
static int64_t next_data(int fd, int64_t from, int64_t end)
{
	off_t at;

	if (from >= end)
		return end;
	at = lseek(fd, from, SEEK_DATA);
	if (at < 0)
		return errno == ENXIO ? end : -errno;
	return at < end ? at : end;
}

/* Puts what from has behind from_at, without its holes, into a range of zeros of to. */
static int copy_tail(int from, int64_t from_at, int to, int64_t to_at)
{
	int64_t end = length(from), at = end < 0 ? end : next_data(from, from_at, end);
	unsigned char block[BLOCK];

	while (at >= 0 && at < end) {
		size_t want = end - at < BLOCK ? end - at : BLOCK;
		ssize_t n = pread(from, block, want, at);
		int rc;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		rc = kp_content_write(to, to_at + (at - from_at), block, n);
		if (rc < 0)
			return rc;
		at = next_data(from, at + n, end);
	}
	return at < 0 ? (int)at : 0;
}

/* Cuts the file at cut, and puts what was behind tail_from at tail_to. */
static int move_tail(int fd, uint64_t cut, uint64_t tail_from, uint64_t tail_to)
{
	int64_t len = length(fd);
	int tail, rc;

	if (len < 0 || tail_from > (uint64_t)len)
		return len < 0 ? (int)len : -EINVAL;
	tail = memfd_create("tail", MFD_CLOEXEC);
	if (tail < 0)
		return -errno;
	rc = copy_tail(fd, (int64_t)tail_from, tail, 0);
	if (rc == 0)
		rc = set_length(fd, cut);
	if (rc == 0)
		rc = set_length(fd, tail_to + (uint64_t)len - tail_from);
	if (rc == 0)
		rc = copy_tail(tail, 0, fd, (int64_t)tail_to);
	close(tail);
	return rc;
}

static int zero(int fd, uint64_t offset, uint64_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			 (off_t)len) < 0
		       ? -errno
		       : 0;
}

int kp_content_allocate(int fd, uint32_t mode, uint64_t offset, uint64_t len)
{
	bool keeps = mode & FALLOC_FL_KEEP_SIZE;
	int rc = 0;

	if (!len || offset > INT64_MAX || len > INT64_MAX - offset)
		return -EINVAL;
	switch (mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_UNSHARE_RANGE:
		return keeps ? 0 : lengthen(fd, offset + len);
	case FALLOC_FL_PUNCH_HOLE:
		return zero(fd, offset, len);
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_WRITE_ZEROES:
		rc = zero(fd, offset, len);
		return rc < 0 || keeps ? rc : lengthen(fd, offset + len);
	case FALLOC_FL_COLLAPSE_RANGE:
		return move_tail(fd, offset, offset + len, offset);
	case FALLOC_FL_INSERT_RANGE:
		return move_tail(fd, offset, offset, offset + len);
	}
	return -EOPNOTSUPP;
}

/* Reads a block of both files at `at`, where one that is shorter has zeros. Its length, or -errno.
 */
static ssize_t read_both(int a, int b, int64_t at, int64_t end, unsigned char *ret_a,
			 unsigned char *ret_b)
{
	size_t want = end - at < BLOCK ? end - at : BLOCK;
	ssize_t in_a = pread(a, ret_a, want, at), in_b = pread(b, ret_b, want, at);

	if (in_a < 0 || in_b < 0)
		return -errno;
	memset(ret_a + in_a, 0, want - in_a);
	memset(ret_b + in_b, 0, want - in_b);
	return (ssize_t)want;
}

/*
 * Looks at each block in which one of two files of one length has data. Returns at the first one
 * that differs: 1; or, if `mend`, gives b the bytes of a and goes on. 0: no difference is left.
 */
static int compare(int a, int b, int64_t end, bool mend)
{
	unsigned char in_a[BLOCK], in_b[BLOCK];
	int64_t at = 0;

	for (;;) {
		int64_t data_a = next_data(a, at, end), data_b = next_data(b, at, end);
		ssize_t n;
		int rc;

		if (data_a < 0 || data_b < 0)
			return (int)(data_a < 0 ? data_a : data_b);
		at = data_a < data_b ? data_a : data_b;
		if (at == end)
			return 0;
		n = read_both(a, b, at, end, in_a, in_b);
		if (n < 0)
			return (int)n;
		if (memcmp(in_a, in_b, n)) {
			rc = mend ? kp_content_write(b, at, in_a, n) : 1;
			if (rc)
				return rc;
		}
		at += n;
	}
}

int kp_content_equal(int a, int b)
{
	int64_t len_a = length(a), len_b = length(b);
	int rc;

	if (len_a < 0 || len_b < 0)
		return (int)(len_a < 0 ? len_a : len_b);
	if (len_a != len_b)
		return 0;
	rc = compare(a, b, len_a, false);
	return rc < 0 ? rc : !rc;
}

int kp_content_copy(int from, int to)
{
	int64_t len = length(from);
	int rc = len < 0 ? (int)len : set_length(to, len);

	return rc < 0 ? rc : compare(from, to, len, true);
}
