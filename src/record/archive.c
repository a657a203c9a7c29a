/* SPDX-License-Identifier: MIT
 *
 * The archive of mapped files; see archive.h. A file is read twice: its checksum stands in the
 * file_info that precedes the content, and a file that changes in between is not taken.
 */
#include "record/archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/crc32c.h"

#define PIECE_LEN 61440

struct entry {
	struct stat st;
	uint32_t file_id;
};

struct kp_archive {
	const struct kp_sink *sink;
	struct entry *entries;
	uint32_t cnt;
	uint32_t cap;
};

struct kp_archive *kp_archive_new(const struct kp_sink *sink)
{
	struct kp_archive *archive = calloc(1, sizeof(*archive));

	if (archive)
		archive->sink = sink;
	return archive;
}

static int same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int same_content(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* Reads fd from offset 0 in pieces, puts them as file_data of file_id unless that is 0. */
static int read_pieces(struct kp_archive *archive, int fd, uint64_t len, uint32_t file_id,
		       uint32_t *ret_crc)
{
	struct kp_ev_file_data ev = {.file_id = file_id};
	unsigned char piece[PIECE_LEN];
	uint64_t at = 0;
	uint32_t crc = 0;
	ssize_t n;

	while (at < len) {
		n = pread(fd, piece, len - at < sizeof(piece) ? len - at : sizeof(piece),
			  (off_t)at);
		if (n <= 0)
			return -1;
		crc = kp_crc32c(crc, piece, (size_t)n);
		if (file_id) {
			ev.hdr.time_ns = 0;
			ev.offset = at;
			kp_sink_put(archive->sink, KP_EV_file_data, &ev, sizeof(ev), piece,
				    (size_t)n);
		}
		at += (uint64_t)n;
	}
	*ret_crc = crc;
	return 0;
}

static int remember(struct kp_archive *archive, const struct stat *st, uint32_t file_id)
{
	uint32_t cap = archive->cap ? archive->cap * 2 : 64;
	struct entry *entries;

	if (archive->cnt == archive->cap) {
		entries = realloc(archive->entries, cap * sizeof(*entries));
		if (!entries)
			return -1;
		archive->entries = entries;
		archive->cap = cap;
	}
	archive->entries[archive->cnt++] = (struct entry){*st, file_id};
	return 0;
}

uint32_t kp_archive_fd(struct kp_archive *archive, int fd, const char *path)
{
	struct kp_ev_file_info info = {0};
	uint32_t crc, crc_again;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size > KP_ARCHIVE_FILE_MAX)
		return 0;
	for (uint32_t i = 0; i < archive->cnt; i++)
		if (same_content(&archive->entries[i].st, &st))
			return archive->entries[i].file_id;
	info.ino = st.st_ino;
	info.len = (uint64_t)st.st_size;
	info.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	info.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	info.file_id = archive->cnt + 1;
	if (read_pieces(archive, fd, info.len, 0, &crc) < 0 ||
	    remember(archive, &st, info.file_id) < 0)
		return 0;
	info.crc32c = crc;
	kp_sink_put(archive->sink, KP_EV_file_info, &info, sizeof(info), path, strlen(path));
	if (read_pieces(archive, fd, info.len, info.file_id, &crc_again) < 0 || crc != crc_again)
		return archive->entries[archive->cnt - 1].file_id = 0;
	return info.file_id;
}

uint32_t kp_archive_path(struct kp_archive *archive, const char *open_path, const char *path)
{
	struct stat st;
	uint32_t file_id;
	int fd;

	/* Opening anything but a regular file can have effects. */
	if (stat(open_path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return 0;
	file_id = kp_archive_fd(archive, fd, path);
	close(fd);
	return file_id;
}

void kp_archive_free(struct kp_archive *archive)
{
	if (!archive)
		return;
	free(archive->entries);
	free(archive);
}
