/* SPDX-License-Identifier: MIT
 * Retention: the oldest segments go, those that are pinned stay, contents that nobody names go too.
 */
#include "fixture.h"

#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "log/pins.h"
#include "log/retain.h"

TestSuite(retain, .init = fixture_setup, .fini = fixture_teardown);

#define SEGMENT_LEN 65536u
#define ANY_QUOTA (1ull << 40)

/* What was told of segments that go. */
static struct {
	unsigned cnt;
	uint64_t last;
	enum kp_retain_why why;
} told;

static void on_remove(void *arg, const struct kp_retain_segment *segment)
{
	(void)arg;
	told.cnt++;
	told.last = segment->number;
	told.why = segment->why;
}

/* The boot's folder: others come to it. */
static char boot[512];

static const char *path_of(uint64_t segment)
{
	static char path[600];
	char name[KP_SEG_NAME_MAX];

	kp_seg_name(segment, name);
	snprintf(path, sizeof(path), "%s/%s", boot, name);
	return path;
}

static const char *boot_name(void)
{
	return strrchr(boot, '/') + 1;
}

static bool is_there(uint64_t segment)
{
	return access(path_of(segment), F_OK) == 0;
}

/* A log of cnt whole segments and one that is being written. */
static struct kp_log_writer *write_log(uint64_t cnt, uint64_t time_ns)
{
	struct kp_log_writer *writer = fixture_create(SEGMENT_LEN);
	uint64_t rnd = 41;

	snprintf(boot, sizeof(boot), "%s", fixture_path(0));
	while (!is_there(cnt + 1))
		fixture_append(writer, 0, 200, &time_ns, &rnd, NULL);
	return writer;
}

static struct kp_retainer *make_retainer(struct kp_log_writer *writer,
					 const struct kp_retain_limits *limits)
{
	struct kp_retain_options options = {.limits = *limits, .on_remove = on_remove};
	struct kp_retainer *retainer = NULL;
	struct kp_err err = {""};

	if (!options.limits.pin_len)
		options.limits.pin_len = ANY_QUOTA;
	memset(&told, 0, sizeof(told));
	cr_assert_eq(kp_log_make_retainer(writer, &options, &retainer, &err), 0, "%s", err.text);
	return retainer;
}

static struct kp_retained run_once(struct kp_retainer *retainer, uint64_t segment, bool is_full)
{
	struct kp_retain_now now = {.segment = segment, .is_full = is_full};
	struct kp_retained retained;
	struct kp_err err = {""};

	cr_assert(kp_retainer_is_due(retainer, &now));
	cr_assert_eq(kp_retainer_run(retainer, &now, &retained, &err), 0, "%s", err.text);
	return retained;
}

/* Runs it on a log of eight whole segments. */
static struct kp_retained retain(struct kp_log_writer *writer, struct kp_retain_limits limits,
				 bool is_full)
{
	struct kp_retainer *retainer = make_retainer(writer, &limits);
	struct kp_retained retained = run_once(retainer, 9, is_full);

	kp_retainer_free(retainer);
	return retained;
}

static uint64_t length_of(uint64_t from, uint64_t to)
{
	uint64_t len = 0;
	struct stat st;

	for (uint64_t i = from; i <= to; i++)
		if (stat(path_of(i), &st) == 0)
			len += (uint64_t)st.st_size;
	return len;
}

Test(retain, the_oldest_go_until_the_log_is_short_enough)
{
	struct kp_log_writer *writer = write_log(8, 0);
	uint64_t max = 6 * length_of(1, 1);
	struct kp_retained retained = retain(writer, (struct kp_retain_limits){.len = max}, false);

	cr_expect_eq(retained.removed_cnt, told.cnt);
	cr_expect_eq(told.why, KP_RETAIN_size);
	cr_expect_eq(told.last, told.cnt);
	cr_expect(told.cnt >= 2 && told.cnt <= 4, "%u", told.cnt);
	for (uint64_t i = 1; i <= 9; i++)
		cr_expect_eq(is_there(i), i > told.cnt);
	cr_expect_eq(retained.left_len, length_of(1, 9));
	cr_expect_leq(retained.left_len, max);
	fixture_close(writer);
}

Test(retain, it_is_looked_at_after_a_segment_and_after_a_part_of_the_limit)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct kp_retainer *retainer =
		make_retainer(writer, &(struct kp_retain_limits){.len = 3200000});
	struct kp_retain_now now = {.segment = 9};

	run_once(retainer, 9, false);
	cr_expect_not(kp_retainer_is_due(retainer, &now));
	now.written = 100000;
	cr_expect_not(kp_retainer_is_due(retainer, &now));
	now.written = 100001;
	cr_expect(kp_retainer_is_due(retainer, &now));
	now = (struct kp_retain_now){.segment = 10};
	cr_expect(kp_retainer_is_due(retainer, &now));
	kp_retainer_free(retainer);
	fixture_close(writer);
}

Test(retain, what_is_written_stays_whatever_the_limit)
{
	struct kp_log_writer *writer = write_log(8, 0);

	retain(writer, (struct kp_retain_limits){.len = 1}, false);
	for (uint64_t i = 1; i <= 9; i++)
		cr_expect_eq(is_there(i), i == 9);
	fixture_close(writer);
}

Test(retain, the_old_go)
{
	const uint64_t hour_ns = 3600ull * 1000000000, now_ns = kp_clock_ns(CLOCK_MONOTONIC);
	struct kp_log_writer *writer = write_log(8, now_ns);

	retain(writer, (struct kp_retain_limits){.age_ns = hour_ns}, false);
	cr_expect_eq(told.cnt, 0);
	usleep(2000);
	retain(writer, (struct kp_retain_limits){.age_ns = 1000000}, false);
	cr_expect_eq(told.cnt, 8);
	cr_expect_eq(told.why, KP_RETAIN_age);
	fixture_close(writer);
}

Test(retain, a_floor_that_cannot_be_reached_takes_all_and_says_so)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct kp_retained retained =
		retain(writer, (struct kp_retain_limits){.free_len = 1}, false);

	cr_expect_eq(told.cnt, 0);
	cr_expect_not(retained.is_short);
	retained = retain(writer, (struct kp_retain_limits){.free_len = 1ull << 60}, false);
	cr_expect_eq(told.cnt, 8);
	cr_expect_eq(told.why, KP_RETAIN_free);
	cr_expect(retained.is_short);
	fixture_close(writer);
}

Test(retain, a_floor_in_percent)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct statvfs fs;
	unsigned percent;

	cr_assert_eq(statvfs(fixture_dir, &fs), 0);
	percent = (unsigned)(fs.f_bavail * 100 / fs.f_blocks);
	if (percent < 2 || percent > 97)
		cr_skip_test("the disk is empty or full");
	retain(writer, (struct kp_retain_limits){.free_percent = percent - 1}, false);
	cr_expect_eq(told.cnt, 0);
	retain(writer, (struct kp_retain_limits){.free_percent = percent + 2}, false);
	cr_expect_eq(told.cnt, 8);
	fixture_close(writer);
}

Test(retain, a_full_disk_takes_the_oldest_one)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct kp_retained retained =
		retain(writer, (struct kp_retain_limits){.len = ANY_QUOTA}, true);

	cr_expect_eq(retained.removed_cnt, 1);
	cr_expect_eq(told.why, KP_RETAIN_full);
	cr_expect_not(is_there(1));
	cr_expect(is_there(2));
	fixture_close(writer);
}

/* --- pins --- */

static void pin(const char *name, const uint64_t *segments, size_t cnt)
{
	struct kp_err err = {""};
	int fd = open(fixture_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(kp_pin_write(fd, fixture_dir, name, boot_name(), segments, cnt, &err), 0, "%s",
		     err.text);
	close(fd);
}

static bool has_pin(const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/pins/%s", fixture_dir, file);
	return access(path, F_OK) == 0;
}

Test(retain, what_is_pinned_stays_until_the_pin_is_removed)
{
	struct kp_log_writer *writer = write_log(8, 0);
	char path[512];

	pin("../ an id", (uint64_t[]){3, 4}, 2);
	cr_expect(has_pin("%2E.%2F%20an%20id"), "a pin's name leads nowhere else");
	retain(writer, (struct kp_retain_limits){.len = 1}, false);
	for (uint64_t i = 1; i <= 9; i++)
		cr_expect_eq(is_there(i), i == 3 || i == 4 || i == 9);
	snprintf(path, sizeof(path), "%s/pins/%%2E.%%2F%%20an%%20id", fixture_dir);
	cr_assert_eq(unlink(path), 0);
	retain(writer, (struct kp_retain_limits){.len = 1}, false);
	cr_expect_eq(told.last, 4);
	fixture_close(writer);
}

Test(retain, pins_beyond_their_quota_keep_nothing_the_oldest_first)
{
	struct kp_log_writer *writer = write_log(8, 0);
	uint64_t len = length_of(1, 1) * 3 / 2;
	struct kp_retained retained;

	pin("older", (uint64_t[]){2}, 1);
	usleep(20000);
	pin("newer", (uint64_t[]){1}, 1);
	retained = retain(writer, (struct kp_retain_limits){.len = 1, .pin_len = len}, false);
	cr_expect(retained.is_over_quota);
	cr_expect_eq(told.cnt, 7);
	/* A pin of which nothing is left goes with its segments. */
	cr_expect(has_pin("older"));
	retained = retain(writer, (struct kp_retain_limits){.len = 1, .pin_len = len}, false);
	cr_expect_not(retained.is_over_quota);
	cr_expect_not(has_pin("older"));
	cr_expect(has_pin("newer"));
	fixture_close(writer);
}

Test(retain, nonsense_in_pins_keeps_nothing_and_harms_nobody)
{
	struct kp_log_writer *writer = write_log(8, 0);
	char path[512];
	FILE *file;

	pin("x", (uint64_t[]){1}, 1);
	snprintf(path, sizeof(path), "%s/pins/x", fixture_dir);
	file = fopen(path, "w");
	fprintf(file, "\n/\n../../etc/passwd\n%s/\n%s/00000099.kpl\nother/00000001.kpl\n%s",
		boot_name(), boot_name(), boot_name());
	fclose(file);
	snprintf(path, sizeof(path), "%s/pins/link", fixture_dir);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	retain(writer, (struct kp_retain_limits){.len = 1}, false);
	cr_expect_eq(told.cnt, 8);
	fixture_close(writer);
}

/* --- several runs --- */

Test(retain, former_runs_and_boots_go_first)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct kp_retainer *retainer;
	char old[512];

	fixture_close(writer);
	snprintf(old, sizeof(old), "%s/00000000-0000-0000-0000-000000000000", fixture_dir);
	cr_assert_eq(rename(boot, old), 0);
	writer = fixture_create(SEGMENT_LEN);
	retainer = make_retainer(writer, &(struct kp_retain_limits){.len = 1});
	run_once(retainer, 1, false);
	cr_expect_eq(told.cnt, 9);
	cr_expect_eq(access(old, F_OK), -1, "a boot's folder goes with its last segment");
	cr_expect_eq(access(boot, F_OK), 0);
	kp_retainer_free(retainer);
	fixture_close(writer);
}

/* What an earlier recorder removed is told, so that the log says why it begins later. */
Test(retain, what_is_found_gone_is_told_once)
{
	struct kp_log_writer *writer = write_log(8, 0);
	struct kp_retainer *retainer;

	unlink(path_of(1));
	unlink(path_of(2));
	retainer = make_retainer(writer, &(struct kp_retain_limits){.len = ANY_QUOTA});
	run_once(retainer, 9, false);
	cr_expect_eq(told.cnt, 1);
	cr_expect_eq(told.last, 2);
	cr_expect_eq(told.why, KP_RETAIN_found);
	run_once(retainer, 10, false);
	cr_expect_eq(told.cnt, 1);
	kp_retainer_free(retainer);
	fixture_close(writer);
}

/* --- contents --- */

static ssize_t next_piece(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE])
{
	if (*at)
		return 0;
	memset(piece, *(const char *)arg, 100);
	return 100;
}

static struct kp_object put_object(struct kp_objects *objects, char what)
{
	struct kp_object_source source = {.len = 100, .next = next_piece, .arg = &what};
	struct kp_object object;

	cr_assert_eq(kp_objects_put(objects, &source, &object, NULL), 0);
	return object;
}

static void name_object(struct kp_log_writer *writer, const struct kp_object *object)
{
	struct {
		struct kp_ev_file_object event;
		unsigned char hash[KP_OBJECT_HASH_LEN];
	} named = {.event = {.hdr = {.time_ns = 1, .kind = KP_EV_file_object},
			     .len = object->len,
			     .data_len = KP_OBJECT_HASH_LEN}};

	named.event.hdr.size = sizeof(named);
	memcpy(named.hash, object->hash, sizeof(named.hash));
	cr_assert_eq(kp_log_append(writer, KP_CPU_USER, &named, sizeof(named), no_loss, NULL), 0);
}

static bool has_object(const struct kp_object *object)
{
	char name[KP_OBJECT_NAME_LEN], path[512];

	kp_object_name(object, name);
	snprintf(path, sizeof(path), "%s/objects/%s", fixture_dir, name);
	return access(path, F_OK) == 0;
}

Test(retain, contents_go_with_the_last_segment_that_names_them)
{
	struct kp_log_writer *writer = fixture_create(SEGMENT_LEN);
	struct kp_object first, both, nobody;
	uint64_t time_ns = 1000, rnd = 5;
	struct kp_retainer *retainer;
	struct kp_objects *objects;

	cr_assert_eq(kp_log_make_objects(writer, &objects, NULL), 0);
	first = put_object(objects, 'a');
	both = put_object(objects, 'b');
	nobody = put_object(objects, 'c');
	kp_objects_free(objects);
	name_object(writer, &first);
	name_object(writer, &both);
	for (int i = 0; i < 3; i++)
		fixture_append(writer, 0, 1000, &time_ns, &rnd, NULL);
	name_object(writer, &both);
	retainer = make_retainer(writer, &(struct kp_retain_limits){.len = ANY_QUOTA});
	run_once(retainer, 2, false);
	cr_expect(has_object(&first) && has_object(&both));
	cr_expect_not(has_object(&nobody));
	run_once(retainer, 3, true);
	cr_expect_eq(told.last, 1);
	cr_expect(has_object(&both));
	cr_expect_not(has_object(&first));
	kp_retainer_free(retainer);
	fixture_close(writer);
}

/* --- who reads meanwhile --- */

Test(retain, a_reader_says_what_went_while_it_read)
{
	struct kp_log_writer *writer = write_log(8, 0);
	const struct kp_log_gap *gap;
	struct kp_log_reader *reader;
	size_t all, left;

	reader = fixture_open(fixture_dir, NULL);
	all = fixture_read(reader, NULL);
	kp_log_reader_free(reader);
	reader = fixture_open(fixture_dir, NULL);
	retain(writer, (struct kp_retain_limits){.len = ANY_QUOTA}, true);
	left = fixture_read(reader, NULL);
	cr_expect(left < all && left > all / 2);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 1);
	gap = &kp_log_get_info(reader)->gaps[0];
	cr_expect(gap->gone && !gap->torn);
	cr_expect_not_null(strstr(gap->file, "00000001.kpl"), "%s", gap->file);
	kp_log_reader_free(reader);
	reader = fixture_open(fixture_dir, NULL);
	cr_expect_eq(fixture_read(reader, NULL), left);
	cr_expect_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
	fixture_close(writer);
}
