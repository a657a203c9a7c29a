/* SPDX-License-Identifier: MIT
 * Build ids of real programs and of files that somebody made up.
 */
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/build_id.h"

#define NOTES_AT 0x100

/* A file of one segment of notes: what readelf would take. */
struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	char gap[NOTES_AT - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr)];
	Elf64_Nhdr first;
	char first_name[4];
	char first_data[8];
	Elf64_Nhdr second;
	char second_name[4];
	unsigned char id[20];
};

static const struct file model = {
	.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		 .e_phoff = sizeof(Elf64_Ehdr),
		 .e_phentsize = sizeof(Elf64_Phdr),
		 .e_phnum = 1},
	.segment = {.p_type = PT_NOTE,
		    .p_offset = NOTES_AT,
		    .p_filesz = sizeof(struct file) - NOTES_AT,
		    .p_align = 4},
	.first = {4, 8, NT_GNU_ABI_TAG},
	.first_name = "GNU",
	.second = {4, 20, NT_GNU_BUILD_ID},
	.second_name = "GNU",
	.id = "twenty bytes of name",
};

static int read_bytes(const void *bytes, size_t len, unsigned char id[KP_BUILD_ID_MAX])
{
	int fd = memfd_create("elf", MFD_CLOEXEC), r;

	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	r = kp_build_id_read(fd, id);
	close(fd);
	return r;
}

Test(build_id, of_a_file)
{
	unsigned char id[KP_BUILD_ID_MAX];

	cr_assert_eq(read_bytes(&model, sizeof(model), id), 20);
	cr_expect(!memcmp(id, model.id, 20));
}

/* Its first bytes stand in the first page of any program that ld made with --build-id. */
Test(build_id, of_a_real_program)
{
	unsigned char id[KP_BUILD_ID_MAX];
	char text[64] = "", line[512];
	FILE *readelf = popen("readelf -n /bin/sh 2>/dev/null", "re");
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC), len;
	char hex[2 * KP_BUILD_ID_MAX + 1];

	while (readelf && fgets(line, sizeof(line), readelf))
		sscanf(line, " Build ID: %63s", text);
	if (!readelf || pclose(readelf) || !text[0])
		cr_skip_test("readelf finds no build id of /bin/sh here");
	len = kp_build_id_read(fd, id);
	close(fd);
	cr_assert_gt(len, 0);
	for (int i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	cr_expect_str_eq(hex, text);
}

Test(build_id, of_what_has_none)
{
	unsigned char id[KP_BUILD_ID_MAX];
	struct file file = model;

	cr_expect_eq(read_bytes("#!/bin/sh\n", 10, id), 0);
	cr_expect_eq(read_bytes("", 0, id), 0);
	cr_expect_eq(kp_build_id_read(-1, id), -EBADF);
	file.second.n_type = NT_GNU_ABI_TAG;
	cr_expect_eq(read_bytes(&file, sizeof(file), id), 0);
}

/* Numbers that lie: about where, how many, how long. */
Test(build_id, of_liars)
{
	static const struct {
		size_t at, len;
	} fields[] = {
		{offsetof(struct file, head.e_phoff), 8},
		{offsetof(struct file, head.e_phnum), 2},
		{offsetof(struct file, head.e_phentsize), 2},
		{offsetof(struct file, segment.p_offset), 8},
		{offsetof(struct file, segment.p_filesz), 8},
		{offsetof(struct file, segment.p_align), 8},
		{offsetof(struct file, first.n_namesz), 4},
		{offsetof(struct file, first.n_descsz), 4},
		{offsetof(struct file, second.n_namesz), 4},
		{offsetof(struct file, second.n_descsz), 4},
	};
	static const unsigned long long values[] = {
		0,     1,     3,    5, 0x7f, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff,
		-1ull, -4ull, -8ull};
	unsigned char id[KP_BUILD_ID_MAX];

	for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++)
		for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++) {
			struct file file = model;

			memcpy((char *)&file + fields[f].at, &values[v], fields[f].len);
			cr_expect_leq(read_bytes(&file, sizeof(file), id), KP_BUILD_ID_MAX);
		}
}

/* Cut and damaged at each byte. */
Test(build_id, of_damaged_files)
{
	unsigned char id[KP_BUILD_ID_MAX];

	for (size_t at = 0; at < sizeof(model); at++) {
		struct file file = model;

		cr_expect_eq(read_bytes(&file, at, id), 0, "cut at %zu", at);
		for (int bit = 0; bit < 8; bit++) {
			((unsigned char *)&file)[at] =
				(unsigned char)(((const unsigned char *)&model)[at] ^ 1 << bit);
			cr_expect_leq(read_bytes(&file, sizeof(file), id), KP_BUILD_ID_MAX);
		}
	}
}
