/* SPDX-License-Identifier: MIT
 * The contents beside a log: what was put is read back, or it is said that it cannot be.
 */
#include "fixture.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/blake2b.h"
#include "log/object.h"

static struct kp_objects *objects;
static int objects_fd;

static void make(void)
{
	struct kp_err err = {""};
	int fd;

	fixture_setup();
	fd = open(fixture_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(kp_objects_make(fd, fixture_dir, &objects, &err), 0, "%s", err.text);
	close(fd);
	objects_fd = kp_objects_open(fixture_dir);
	cr_assert_geq(objects_fd, 0);
}

static void drop(void)
{
	kp_objects_free(objects);
	close(objects_fd);
	fixture_teardown();
}

TestSuite(object, .init = make, .fini = drop);

/* A content in memory, from which pieces are given. */
struct content {
	const unsigned char *data;
	uint64_t len;
	unsigned passes, change_at; /* in this pass it has another byte */
};

static ssize_t next_piece(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE])
{
	struct content *content = arg;
	uint64_t n;

	content->passes += *at == 0;
	if (*at >= content->len)
		return 0;
	n = content->len - *at < KP_OBJECT_PIECE ? content->len - *at : KP_OBJECT_PIECE;
	memcpy(piece, content->data + *at, n);
	piece[0] ^= content->passes == content->change_at;
	return (ssize_t)n;
}

static int try_put(struct content *content, struct kp_object *ret_object, struct kp_err *err)
{
	const struct kp_object_source source = {content->len, next_piece, content};

	return kp_objects_put(objects, &source, ret_object, err);
}

static struct kp_object put(const void *data, uint64_t len)
{
	struct content content = {.data = data, .len = len};
	struct kp_object object;
	struct kp_err err = {""};

	cr_assert_eq(try_put(&content, &object, &err), 0, "%s", err.text);
	return object;
}

static int take_page(void *arg, uint64_t offset, const unsigned char *data, size_t len)
{
	memcpy((char *)arg + offset, data, len);
	return 0;
}

static void check_content(const struct kp_object *object, const void *data, uint64_t len)
{
	unsigned char *back = calloc(1, len + 1);
	const char *why = "";

	cr_assert_eq(kp_object_read(objects_fd, object, len, take_page, back, &why), 0, "%s", why);
	cr_assert(!memcmp(back, data, len));
	free(back);
}

static const char *path_of(const struct kp_object *object)
{
	static char path[256];
	char name[KP_OBJECT_NAME_LEN];

	kp_object_name(object, name);
	snprintf(path, sizeof(path), "%s/objects/%s", fixture_dir, name);
	return path;
}

Test(object, contents_of_all_lengths_come_back)
{
	static const uint64_t lens[] = {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 1000000};
	unsigned char *data = malloc(1000000);
	uint64_t rnd = 7;
	struct stat st;

	for (size_t i = 0; i < 1000000; i++)
		data[i] =
			i / 4096 % 5 == 3 || i / 65536 == 4 ? 0 : (unsigned char)synth_random(&rnd);
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		struct kp_object object = put(data, lens[i]);

		check_content(&object, data, lens[i]);
		cr_assert_eq(stat(path_of(&object), &st), 0);
		cr_expect_eq(st.st_mode & 07777, 0600);
	}
	cr_expect_eq(kp_objects_cnt(objects), sizeof(lens) / sizeof(*lens));
	free(data);
}

Test(object, one_content_is_written_once)
{
	static unsigned char data[100000] = "content";
	struct kp_object object = put(data, sizeof(data)), again;
	uint64_t written = kp_objects_written(objects);
	struct stat before, after;

	cr_assert_eq(stat(path_of(&object), &before), 0);
	again = put(data, sizeof(data));
	cr_assert(!memcmp(&again, &object, sizeof(object)));
	cr_assert_eq(stat(path_of(&object), &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_eq(kp_objects_written(objects), written);
	cr_expect_eq(written, (uint64_t)after.st_size);
}

/* Neither of another length nor of other bytes. */
Test(object, the_name_is_that_of_the_unpacked_bytes)
{
	unsigned char plain[8 + 8 + 4] = {4, [9] = 0}, hash[KP_OBJECT_HASH_LEN];
	struct kp_object object = put("text", 4);

	plain[8] = 1; /* piece 0, page 0 */
	memcpy(plain + 16, "text", 4);
	kp_blake2b(plain, sizeof(plain), hash, sizeof(hash));
	cr_expect(!memcmp(hash, object.hash, sizeof(hash)));
	cr_expect_eq(object.len, sizeof(plain));
}

Test(object, what_changes_while_it_is_written_is_not_kept)
{
	static unsigned char data[100000] = "content";
	struct content content = {.data = data, .len = sizeof(data), .change_at = 2};
	struct kp_object object;
	struct kp_err err = {""};

	cr_assert_eq(try_put(&content, &object, &err), -ESTALE);
	cr_expect_neq(access(path_of(&object), F_OK), 0);
	cr_expect_eq(kp_objects_written(objects), 0);
}

static void expect_bad(const struct kp_object *object, const char *what)
{
	const char *why = NULL;

	cr_expect_eq(kp_object_read(objects_fd, object, KP_OBJECT_ANY_LEN, NULL, NULL, &why),
		     -EBADMSG, "%s", what);
	cr_expect_not_null(why);
}

Test(object, damage_at_each_byte_is_seen)
{
	static unsigned char data[9000];
	struct kp_object object;
	uint64_t rnd = 3;
	struct stat st;
	char what[32];
	int fd;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = "acgt"[synth_random(&rnd) % 4];
	object = put(data, sizeof(data));
	fd = open(path_of(&object), O_RDWR | O_CLOEXEC);
	cr_assert_eq(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		unsigned char is, bad;

		cr_assert_eq(pread(fd, &is, 1, at), 1);
		bad = is ^ 0x10;
		cr_assert_eq(pwrite(fd, &bad, 1, at), 1);
		snprintf(what, sizeof(what), "byte %ld", (long)at);
		/* Bytes of the frame's header of which the content does not depend. */
		if (at != 4 && at != 5)
			expect_bad(&object, what);
		cr_assert_eq(pwrite(fd, &is, 1, at), 1);
	}
	check_content(&object, data, sizeof(data));
	for (off_t len = st.st_size - 1; len >= 0; len--) {
		cr_assert_eq(ftruncate(fd, len), 0);
		snprintf(what, sizeof(what), "cut at %ld", (long)len);
		expect_bad(&object, what);
	}
	close(fd);
}

Test(object, a_damaged_one_is_written_anew)
{
	static unsigned char data[9000] = "content";
	struct kp_object object = put(data, sizeof(data));

	cr_assert_eq(truncate(path_of(&object), 20), 0);
	object = put(data, sizeof(data));
	check_content(&object, data, sizeof(data));
}

Test(object, another_content_is_no_substitute)
{
	struct kp_object a = put("one", 3), b = put("two", 3);
	char path[256];

	snprintf(path, sizeof(path), "%s", path_of(&a));
	cr_assert_eq(rename(path, path_of(&b)), 0);
	expect_bad(&b, "swapped");
}

/* Nothing but regular files at either step, and no link. */
Test(object, links_are_not_followed)
{
	struct kp_object object = put("one", 3);
	char path[256], moved[300];
	const char *why;

	snprintf(path, sizeof(path), "%s", path_of(&object));
	snprintf(moved, sizeof(moved), "%s.moved", path);
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(symlink(moved, path), 0);
	expect_bad(&object, "link");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_bad(&object, "fifo");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rename(moved, path), 0);
	path[strlen(path) - 63] = '\0';
	snprintf(moved, sizeof(moved), "%s.moved", path);
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(symlink(moved, path), 0);
	cr_expect_eq(kp_object_read(objects_fd, &object, 3, NULL, NULL, &why), -ENOENT);
}

/* A reader that bounds what it unpacks by what it reads takes what packs best. */
Test(object, what_packs_too_well_is_filled_up)
{
	unsigned char *data = malloc(8 << 20);
	struct kp_object object;
	uint64_t len;
	const char *why;

	memset(data, 'x', 8 << 20);
	object = put(data, 8 << 20);
	cr_assert_eq(kp_object_disk_len(objects_fd, &object, &len, &why), 0);
	cr_expect_geq(len, object.len / KP_PACK_MAX);
	check_content(&object, data, 8 << 20);
	free(data);
}

/* The stranger's word for a length is held against what the object can be. */
Test(object, a_file_longer_than_its_content_can_be_is_not_read)
{
	struct kp_object object = put("one", 3);

	cr_assert_eq(truncate(path_of(&object), 1ll << 40), 0);
	expect_bad(&object, "long");
}

static struct kp_object forge(const void *plain, size_t len)
{
	static unsigned char packed[1 << 20];
	struct kp_object object = {.len = len};
	size_t n = ZSTD_compress(packed, sizeof(packed), plain, len, 1);
	char folder[256];
	int fd;

	kp_blake2b(plain, len, object.hash, sizeof(object.hash));
	snprintf(folder, sizeof(folder), "%s", path_of(&object));
	folder[strlen(folder) - 63] = '\0';
	mkdir(folder, 0700);
	fd = open(path_of(&object), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, packed, n), (ssize_t)n);
	close(fd);
	return object;
}

Test(object, forms_that_no_writer_has_are_damage)
{
	static unsigned char plain[16 + 4096];
	uint64_t head[3] = {4096, 1, 0};
	struct kp_object object;

	memcpy(plain, head, 16);
	object = forge(plain, sizeof(plain));
	expect_bad(&object, "a page of zeros");
	plain[16] = 1;
	object = forge(plain, sizeof(plain));
	check_content(&object, plain + 16, 4096);
	object = forge(plain, 8 + 7);
	expect_bad(&object, "half a piece");
	object.len = 3;
	expect_bad(&object, "longer than said");
	head[0] = 100;
	memcpy(plain, head, 16);
	head[1] = 0;
	object = forge(head, 16);
	expect_bad(&object, "no page");
	head[1] = 2;
	object = forge(head, 16);
	expect_bad(&object, "behind the end");
	head[1] = UINT64_MAX << 16 | 1;
	head[0] = UINT64_MAX;
	object = forge(head, 16);
	expect_bad(&object, "behind every end");
}

Test(object, what_a_killed_writer_left_is_removed)
{
	char path[128];
	struct kp_err err;
	int fd;

	snprintf(path, sizeof(path), "%s/objects/new", fixture_dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	kp_objects_free(objects);
	fd = open(fixture_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(kp_objects_make(fd, fixture_dir, &objects, &err), 0);
	close(fd);
	cr_expect_neq(access(path, F_OK), 0);
}
