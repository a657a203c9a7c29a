/* SPDX-License-Identifier: MIT
 * Notes of ELF files (elf(5)); see build_id.h.
 */
#include "record/build_id.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an honest file has far less of. */
#define SEGMENTS_MAX 128
#define NOTES_LEN_MAX 65536u

/* Where notes stand in the file. */
struct notes {
	uint64_t offset, len;
	uint64_t align;
};

/* The program headers, wherever they are. */
struct headers {
	uint64_t offset;
	unsigned cnt;
	bool is_64;
};

/* All of so many bytes: 1; 0: the file has them not; or a negative errno. */
static int read_at(int fd, void *data, size_t len, uint64_t offset)
{
	size_t done = 0;
	ssize_t n;

	if (offset > INT64_MAX - len)
		return 0;
	while (done < len) {
		n = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		done += (size_t)n;
	}
	return 1;
}

/* 1; 0: there are none that we would read; or a negative errno. */
static int read_headers(int fd, struct headers *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr small;
		Elf64_Ehdr large;
	} head;
	int r = read_at(fd, &head, sizeof(head.small), 0);

	if (r <= 0 || memcmp(head.ident, ELFMAG, SELFMAG) != 0 ||
	    head.ident[EI_DATA] != ELFDATA2LSB)
		return r < 0 ? r : 0;
	ret->is_64 = head.ident[EI_CLASS] == ELFCLASS64;
	if (!ret->is_64) {
		*ret = (struct headers){head.small.e_phoff, head.small.e_phnum, false};
		return head.ident[EI_CLASS] == ELFCLASS32 &&
		       head.small.e_phentsize == sizeof(Elf32_Phdr) && ret->cnt <= SEGMENTS_MAX;
	}
	r = read_at(fd, &head, sizeof(head.large), 0);
	*ret = (struct headers){head.large.e_phoff, head.large.e_phnum, true};
	return r <= 0 ? r
		      : head.large.e_phentsize == sizeof(Elf64_Phdr) && ret->cnt <= SEGMENTS_MAX;
}

/* 1: the i-th segment holds notes; 0: it does not; or a negative errno. */
static int read_segment(int fd, const struct headers *headers, unsigned i, struct notes *ret)
{
	Elf64_Phdr large;
	Elf32_Phdr small;
	int r;

	if (headers->is_64) {
		r = read_at(fd, &large, sizeof(large), headers->offset + i * sizeof(large));
		*ret = (struct notes){large.p_offset, large.p_filesz, large.p_align};
		return r > 0 ? large.p_type == PT_NOTE : r;
	}
	r = read_at(fd, &small, sizeof(small), headers->offset + i * sizeof(small));
	*ret = (struct notes){small.p_offset, small.p_filesz, small.p_align};
	return r > 0 ? small.p_type == PT_NOTE : r;
}

/* Looks through notes in memory; the length of the build id, or 0. */
static int find_id(const unsigned char *notes, size_t len, size_t align,
		   unsigned char ret_id[KP_BUILD_ID_MAX])
{
	Elf64_Nhdr note; /* the same of both classes */
	size_t at = 0, name_len, id_len;

	while (len - at >= sizeof(note)) {
		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		name_len = ((size_t)note.n_namesz + align - 1) & ~(align - 1);
		id_len = ((size_t)note.n_descsz + align - 1) & ~(align - 1);
		if (name_len > len - at || note.n_descsz > len - at - name_len)
			return 0;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(notes + at, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) && note.n_descsz &&
		    note.n_descsz <= KP_BUILD_ID_MAX) {
			memcpy(ret_id, notes + at + name_len, note.n_descsz);
			return (int)note.n_descsz;
		}
		if (id_len > len - at - name_len)
			return 0;
		at += name_len + id_len;
	}
	return 0;
}

static int read_notes(int fd, const struct notes *notes, unsigned char ret_id[KP_BUILD_ID_MAX])
{
	size_t len = notes->len < NOTES_LEN_MAX ? notes->len : NOTES_LEN_MAX;
	unsigned char *data = malloc(len ? len : 1);
	int r = data ? read_at(fd, data, len, notes->offset) : -ENOMEM;

	if (r > 0)
		r = find_id(data, len, notes->align == 8 ? 8 : 4, ret_id);
	free(data);
	return r;
}

int kp_build_id_read(int fd, unsigned char ret_id[KP_BUILD_ID_MAX])
{
	struct headers headers;
	struct notes notes;
	int r = read_headers(fd, &headers);

	if (r <= 0)
		return r;
	r = 0;
	for (unsigned i = 0; i < headers.cnt && r == 0; i++) {
		r = read_segment(fd, &headers, i, &notes);
		if (r > 0)
			r = read_notes(fd, &notes, ret_id);
	}
	return r;
}
