/* SPDX-License-Identifier: MIT
 * Memory files changed as a file system changes files, against a model in an array.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/content.h"

#define CAP (1u << 20)

struct model {
	unsigned char bytes[CAP];
	size_t len;
};

static int make(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static void expect_same(int fd, const struct model *model)
{
	static unsigned char got[CAP];
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq((size_t)st.st_size, model->len);
	cr_assert_eq(pread(fd, got, CAP, 0), (ssize_t)model->len);
	cr_expect_arr_eq(got, model->bytes, model->len);
}

static void fill(int fd, struct model *model, size_t offset, size_t len, int seed)
{
	for (size_t i = 0; i < len; i++)
		model->bytes[offset + i] = (unsigned char)(seed + i * 7 + i / 251);
	if (offset + len > model->len)
		model->len = offset + len;
	cr_assert_eq(kp_content_write(fd, offset, model->bytes + offset, len), 0);
}

Test(content, ranges_go_as_on_a_file_system)
{
	static struct model model;
	int fd = make();

	fill(fd, &model, 0, 100000, 3);
	fill(fd, &model, 500000, 70000, 5);
	expect_same(fd, &model);
	cr_expect_eq(
		kp_content_allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4097, 5000), 0);
	memset(model.bytes + 4097, 0, 5000);
	expect_same(fd, &model);
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_COLLAPSE_RANGE, 8192, 90112), 0);
	memmove(model.bytes + 8192, model.bytes + 8192 + 90112, model.len - 8192 - 90112);
	model.len -= 90112;
	memset(model.bytes + model.len, 0, CAP - model.len);
	expect_same(fd, &model);
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 12288), 0);
	memmove(model.bytes + 4096 + 12288, model.bytes + 4096, model.len - 4096);
	memset(model.bytes + 4096, 0, 12288);
	model.len += 12288;
	expect_same(fd, &model);
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_ZERO_RANGE, model.len - 10, 100), 0);
	memset(model.bytes + model.len - 10, 0, 10);
	model.len += 90;
	expect_same(fd, &model);
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 10, CAP),
		     0);
	memset(model.bytes + 10, 0, model.len - 10);
	expect_same(fd, &model);
	cr_expect_eq(kp_content_allocate(fd, 0, 0, 700000), 0);
	model.len = 700000;
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 800000), 0);
	expect_same(fd, &model);
	close(fd);
}

Test(content, what_cannot_be_is_an_error)
{
	int fd = make();

	cr_expect_eq(kp_content_allocate(fd, 0, 0, 0), -EINVAL);
	cr_expect_eq(kp_content_allocate(fd, 0, UINT64_MAX, 1), -EINVAL);
	cr_expect_eq(kp_content_allocate(fd, 0, 1, INT64_MAX), -EINVAL);
	cr_expect_eq(kp_content_allocate(fd, 0x10000, 0, 1), -EOPNOTSUPP);
	cr_expect_eq(kp_content_allocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096), -EINVAL);
	cr_expect_lt(kp_content_write(fd, UINT64_MAX - 4, "abc", 3), 0);
	close(fd);
}

/* A length that no memory holds costs none. */
Test(content, holes_are_free)
{
	int a = make(), b = make();
	struct stat st;

	cr_assert_eq(kp_content_allocate(a, 0, 0, 1ull << 50), 0);
	cr_assert_eq(kp_content_write(a, 1ull << 49, "x", 1), 0);
	cr_expect_eq(kp_content_equal(a, b), 0);
	cr_assert_eq(kp_content_copy(a, b), 0);
	cr_expect_eq(kp_content_equal(a, b), 1);
	cr_expect_eq(kp_content_allocate(b, FALLOC_FL_INSERT_RANGE, 4096, 4096), 0);
	cr_expect_eq(kp_content_equal(a, b), 0);
	cr_expect_eq(kp_content_allocate(b, FALLOC_FL_COLLAPSE_RANGE, 8192, 4096), 0);
	cr_expect_eq(kp_content_equal(a, b), 1);
	cr_assert_eq(kp_content_write(b, 1 << 20, "y", 1), 0);
	cr_expect_eq(kp_content_equal(a, b), 0);
	cr_assert_eq(kp_content_copy(a, b), 0);
	cr_expect_eq(kp_content_equal(a, b), 1);
	cr_assert_eq(fstat(b, &st), 0);
	cr_expect_lt(st.st_blocks, 4096);
	close(a);
	close(b);
}
