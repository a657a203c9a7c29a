/* SPDX-License-Identifier: MIT
 * Folders that are not the writer's own, and what stands in a log's folder that is no segment.
 */
#include <sys/sysmacros.h>

#include "fixture.h"

TestSuite(folder, .init = fixture_setup, .fini = fixture_teardown, .timeout = 30);

static void expect_refused(const char *dir, const char *why)
{
	struct kp_log_options options = {.codec = KP_CODEC_DELTA};
	struct kp_log_writer *writer;
	struct kp_err err = {""};

	cr_assert_eq(kp_log_create(dir, &options, &writer, &err), -EPERM, "%s", err.text);
	cr_assert_not_null(strstr(err.text, why), "%s", err.text);
}

static const char *below(const char *name)
{
	static char path[4][600];
	static unsigned next;
	char *to = path[next++ % 4];

	snprintf(to, sizeof(path[0]), "%s/%s", fixture_dir, name);
	return to;
}

Test(folder, others_can_write)
{
	static const mode_t modes[] = {0777, 0770, 0720, 0702, 01777};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		cr_assert_eq(chmod(fixture_dir, modes[i]), 0);
		expect_refused(fixture_dir, "chmod");
		cr_assert_eq(chmod(fixture_dir, 0755), 0);
		cr_assert_eq(rmdir(fixture_dir), 0, "something was made in it");
		cr_assert_eq(mkdir(fixture_dir, 0700), 0);
	}
}

Test(folder, a_link)
{
	char with_slash[600];

	cr_assert_eq(mkdir(below("real"), 0700), 0);
	cr_assert_eq(symlink("real", below("link")), 0);
	expect_refused(below("link"), "symbolic link");
	snprintf(with_slash, sizeof(with_slash), "%s//", below("link"));
	expect_refused(with_slash, "symbolic link");
	cr_assert_eq(rmdir(below("real")), 0, "something was made in it");
}

Test(folder, anothers)
{
	if (geteuid())
		cr_skip_test("needs root");
	cr_assert_eq(chown(fixture_dir, 12345, 0), 0);
	unsetenv("SUDO_UID");
	expect_refused(fixture_dir, "another user");
	setenv("SUDO_UID", "12346", 1);
	expect_refused(fixture_dir, "another user");
	setenv("SUDO_UID", "12345", 1);
	fixture_close(fixture_create(0));
}

Test(folder, the_boots_folder_is_looked_at_too)
{
	char boot[512], aside[600];

	fixture_close(fixture_create(0));
	strcpy(boot, fixture_path(0));
	cr_assert_eq(chmod(boot, 0777), 0);
	expect_refused(fixture_dir, "chmod");
	cr_assert_eq(chmod(boot, 0700), 0);
	snprintf(aside, sizeof(aside), "%s-real", boot);
	cr_assert_eq(rename(boot, aside), 0);
	cr_assert_eq(symlink(aside, boot), 0);
	expect_refused(fixture_dir, "symbolic link");
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A torn segment that is somebody's own, seen through a link, is not cut. */
static void leave_alone(int (*make_link)(const char *from, const char *to))
{
	char victim[600], segment[512];
	struct stat before, after;

	fixture_close(fixture_create(0));
	strcpy(segment, fixture_path(1));
	strcpy(victim, below(".victim"));
	cr_assert_eq(rename(segment, victim), 0);
	put(victim, "torn");
	cr_assert_eq(stat(victim, &before), 0);
	cr_assert_eq(make_link(victim, segment), 0);
	fixture_close(fixture_create(0));
	cr_assert_eq(stat(victim, &after), 0);
	cr_assert_eq(before.st_size, after.st_size);
	cr_assert_eq(before.st_ino, after.st_ino);
}

Test(folder, recovery_follows_no_link)
{
	leave_alone(symlink);
}

Test(folder, recovery_cuts_no_file_with_another_name)
{
	leave_alone(link);
}

/* Whatever stands where a segment should: nobody waits for it, nothing but files is opened. */
Test(folder, a_reader_opens_files_only)
{
	uint64_t time_ns = 0, rnd = 1;
	struct kp_log_writer *writer = fixture_create(0);
	const struct kp_log_info *info;
	struct kp_log_reader *reader;
	char first[512];

	fixture_append(writer, 0, 10, &time_ns, &rnd, NULL);
	fixture_close(writer);
	strcpy(first, fixture_path(1));
	cr_assert_eq(mkfifo(fixture_path(2), 0600), 0);
	cr_assert_eq(symlink("/dev/zero", fixture_path(3)), 0);
	cr_assert_eq(symlink(first, fixture_path(4)), 0);
	cr_assert_eq(mkdir(fixture_path(5), 0700), 0);
	cr_assert_eq(symlink(first, fixture_path(6)), 0);
	if (!mknod(fixture_path(7), S_IFCHR | 0600, makedev(1, 5)))
		unlink(fixture_path(6));
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 10);
	info = kp_log_get_info(reader);
	cr_assert_eq(info->gap_cnt, 5);
	for (size_t i = 0; i < info->gap_cnt; i++)
		cr_assert_not_null(strstr(info->gaps[i].why, "no regular file"));
	kp_log_reader_free(reader);
}

/* A boot's folder that leads elsewhere is none. */
Test(folder, a_reader_follows_no_link_to_a_boot)
{
	struct kp_log_reader *reader;
	char boot[512];

	fixture_close(fixture_create(0));
	strcpy(boot, fixture_path(0));
	cr_assert_eq(mkdir(below("other"), 0700), 0);
	cr_assert_eq(symlink(boot, below("other/boot")), 0);
	cr_assert_eq(kp_log_open(below("other"), NULL, &reader, NULL), -ENOENT);
	/* The caller's own word may be a link. */
	cr_assert_eq(symlink(fixture_dir, below("link")), 0);
	reader = fixture_open(boot, NULL);
	kp_log_reader_free(reader);
}
