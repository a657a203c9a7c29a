/* SPDX-License-Identifier: MIT
 * Verification: a log that is whole is, and whatever is done to one is found.
 */
#include "fixture.h"

#include <sched.h>
#include <sys/wait.h>

#include "log/segment_check.h"
#include "log/verify.h"

TestSuite(verify, .init = fixture_setup, .fini = fixture_teardown);

#define SEGMENT_LEN 65536u
#define LOG_LEN (1u << 20)
/* Of the bytes: a sanitizer takes its time. */
#ifdef __SANITIZE_ADDRESS__
#define STEP 31
#else
#define STEP 1
#endif

/* --- what is found --- */

static struct {
	unsigned cnt;
	char text[1024]; /* of the first damage */
} found;

static void tell(void *arg, enum kp_verify_grade grade, const char *where, const char *what)
{
	(void)arg;
	if (grade == KP_VERIFY_DAMAGE && !found.cnt++)
		snprintf(found.text, sizeof(found.text), "%s: %s", where, what);
}

static enum kp_verify_grade verify(const char *path)
{
	struct kp_verify_options options = {.tell = tell};
	struct kp_verified verified;
	struct kp_err err = {""};

	memset(&found, 0, sizeof(found));
	cr_assert_eq(kp_verify(path, &options, &verified, &err), 0, "%s", err.text);
	cr_assert_eq(verified.damage_cnt, found.cnt);
	return verified.worst;
}

static void expect_damage(const char *what)
{
	cr_expect_eq(verify(fixture_dir), KP_VERIFY_DAMAGE, "%s is not found", what);
	cr_expect_not_null(strstr(found.text, what), "%s", found.text);
}

static void expect_whole(void)
{
	cr_expect_eq(verify(fixture_dir), KP_VERIFY_NOTE, "%s", found.text);
}

/* --- logs --- */

/* A block of events that tell nothing of the recorder: those would be lies. */
static void append_any(struct kp_log_writer *writer, uint64_t *time_ns, uint64_t *rnd)
{
	struct kp_buf events = {0};
	struct kp_err err = {""};

	for (int i = 0; i < 60; i++)
		synth_event(&events, KP_EV_sched_switch + (unsigned)(synth_random(rnd) % 8),
			    *time_ns += 10, 20, rnd);
	cr_assert_eq(
		kp_log_append(writer, *rnd % 3, events.data, (uint32_t)events.len, no_loss, &err),
		0, "%s", err.text);
	kp_buf_done(&events);
}

/* One run of several segments; how many. */
static unsigned write_log(uint64_t len, uint64_t rnd)
{
	struct kp_log_writer *writer = fixture_create(SEGMENT_LEN);
	uint64_t time_ns = 0;
	unsigned cnt = 0;

	while (kp_log_written(writer) < len)
		append_any(writer, &time_ns, &rnd);
	fixture_close(writer);
	while (access(fixture_path(cnt + 1), F_OK) == 0)
		cnt++;
	return cnt;
}

static void append(struct kp_log_writer *writer, uint32_t stream, struct kp_hdr *event,
		   uint32_t size, uint16_t kind)
{
	struct kp_err err = {""};

	event->size = size;
	event->kind = kind;
	event->time_ns = event->time_ns ? event->time_ns : 1000;
	cr_assert_eq(kp_log_append(writer, stream, event, size, no_loss, &err), 0, "%s", err.text);
}

/* --- each byte --- */

static int count_damage(void *arg, uint64_t offset, uint64_t len, const char *why)
{
	(void)offset;
	(void)len;
	(void)why;
	++*(unsigned *)arg;
	return -ECANCELED; /* one is enough */
}

static bool is_found(int fd, uint64_t len, unsigned char *payload)
{
	unsigned cnt = 0;
	struct kp_seg_check check = {.payload = payload, .on_damage = count_damage, .arg = &cnt};
	int r = kp_seg_check(fd, len, &check);

	/* A segment that was sealed and is not is found by what knows that it was. */
	return cnt > 0 || r < 0 || !check.has_seal;
}

/* Each byte of a segment, turned around or with one bit changed; how many were not found. */
static unsigned miss_bytes(const char *path, uint64_t rnd)
{
	unsigned char *payload = malloc(KP_STORED_MAX), byte, changed;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned missed = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || is_found(fd, (uint64_t)st.st_size, payload))
		return 1;
	for (off_t at = 0; at < st.st_size; at += STEP) {
		if (pread(fd, &byte, 1, at) != 1)
			return 1;
		rnd = synth_random(&rnd);
		changed = byte ^ (unsigned char)(rnd & 8 ? 0xff : 1u << rnd % 8);
		if (pwrite(fd, &changed, 1, at) != 1)
			return 1;
		missed += !is_found(fd, (uint64_t)st.st_size, payload);
		if (pwrite(fd, &byte, 1, at) != 1)
			return 1;
	}
	close(fd);
	free(payload);
	return missed;
}

/* A megabyte takes a minute of CPU: each segment has a process. */
Test(verify, every_changed_byte_of_a_megabyte_is_found, .timeout = 280)
{
	const unsigned cnt = write_log(LOG_LEN, 61), most = 4;
	unsigned running = 0;
	int status;

	for (unsigned i = 1; i <= cnt; i++) {
		const char *path = fixture_path(i);

		if (running == most) {
			cr_assert_gt(wait(&status), 0);
			cr_assert_eq(status, 0);
			running--;
		}
		if (!fork())
			_exit(miss_bytes(path, i) != 0);
		running++;
	}
	while (running-- > 0) {
		cr_assert_gt(wait(&status), 0);
		cr_assert_eq(status, 0);
	}
	cr_assert_gt(cnt, 5);
	expect_whole();
}

/* The same by way of all that looks at it: here a part of the bytes, for its time. */
Test(verify, changed_bytes_of_the_whole_log, .timeout = 120)
{
	const unsigned cnt = write_log(LOG_LEN / 4, 62);
	unsigned char byte, changed;
	uint64_t rnd = 3;
	struct stat st;
	int fd;

	expect_whole();
	for (unsigned i = 1; i <= cnt; i++) {
		fd = open(fixture_path(i), O_RDWR | O_CLOEXEC);
		cr_assert_eq(fstat(fd, &st), 0);
		for (off_t at = i; at < st.st_size; at += 1009) {
			cr_assert_eq(pread(fd, &byte, 1, at), 1);
			changed = byte ^ (unsigned char)(1u << synth_random(&rnd) % 8);
			cr_assert_eq(pwrite(fd, &changed, 1, at), 1);
			cr_expect_eq(verify(fixture_dir), KP_VERIFY_DAMAGE, "segment %u, byte %lu",
				     i, (unsigned long)at);
			cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		}
		/* The last bytes are the seal's. */
		for (off_t at = st.st_size - (off_t)sizeof(struct kp_seg_seal); at < st.st_size;
		     at += i + 2) {
			cr_assert_eq(pread(fd, &byte, 1, at), 1);
			changed = ~byte;
			cr_assert_eq(pwrite(fd, &changed, 1, at), 1);
			cr_expect_eq(verify(fixture_dir), KP_VERIFY_DAMAGE, "segment %u, byte %lu",
				     i, (unsigned long)at);
			cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
	}
	expect_whole();
}

/* --- segments --- */

Test(verify, each_segment_that_is_removed_is_found)
{
	const unsigned cnt = write_log(LOG_LEN / 4, 63);
	char path[512], away[512];

	snprintf(away, sizeof(away), "%s.away", fixture_dir);
	for (unsigned i = 1; i <= cnt; i++) {
		snprintf(path, sizeof(path), "%s", fixture_path(i));
		cr_assert_eq(rename(path, away), 0);
		expect_damage(i < cnt ? "are not there" : "the segment behind it is missing");
		cr_assert_eq(rename(away, path), 0);
	}
	expect_whole();
}

Test(verify, each_segment_that_is_cut_is_found)
{
	const unsigned cnt = write_log(LOG_LEN / 4, 64);
	unsigned char *bytes = malloc(LOG_LEN);
	struct stat st;
	int fd;

	for (unsigned i = 1; i <= cnt; i++) {
		fd = open(fixture_path(i), O_RDWR | O_CLOEXEC);
		cr_assert_eq(fstat(fd, &st), 0);
		cr_assert_eq(kp_seg_read(fd, bytes, (size_t)st.st_size, 0), st.st_size);
		for (off_t len = st.st_size - 1; len > 0; len -= len / 9 + 1) {
			cr_assert_eq(ftruncate(fd, len), 0);
			cr_expect_eq(verify(fixture_dir), KP_VERIFY_DAMAGE, "segment %u at %lu", i,
				     (unsigned long)len);
		}
		cr_assert_eq(pwrite(fd, bytes, (size_t)st.st_size, 0), st.st_size);
		close(fd);
	}
	expect_whole();
	free(bytes);
}

/* Cut where a block ends, a segment looks as if it had been written no further. */
Test(verify, a_segment_cut_between_two_blocks_is_found)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 4, ends[5];

	for (int i = 0; i < 5; i++) {
		append_any(writer, &time_ns, &rnd);
		ends[i] = kp_log_written(writer);
	}
	fixture_close(writer);
	for (int i = 4; i >= 0; i--) {
		cr_assert_eq(truncate(fixture_path(1), (off_t)ends[i]), 0);
		expect_damage("has no end");
	}
}

Test(verify, segments_that_were_exchanged_are_found)
{
	char first[512], second[512], away[512];

	write_log(LOG_LEN / 4, 65);
	snprintf(first, sizeof(first), "%s", fixture_path(2));
	snprintf(second, sizeof(second), "%s", fixture_path(3));
	snprintf(away, sizeof(away), "%s.away", fixture_dir);
	cr_assert(!rename(first, away) && !rename(second, first) && !rename(away, second));
	expect_damage("does not stand in its place");
}

/* Of another log of the same machine and boot, whole in itself. */
Test(verify, segments_of_another_log_are_found)
{
	const unsigned cnt = write_log(LOG_LEN / 4, 66);
	char own[64], other[64], path[512], away[512], foreign[512];

	strcpy(own, fixture_dir);
	fixture_setup();
	cr_assert_eq(write_log(LOG_LEN / 4, 67), cnt);
	strcpy(other, fixture_dir);
	snprintf(away, sizeof(away), "%s.away", own);
	for (unsigned i = 1; i <= cnt; i++) {
		strcpy(fixture_dir, other);
		snprintf(foreign, sizeof(foreign), "%s", fixture_path(i));
		strcpy(fixture_dir, own);
		snprintf(path, sizeof(path), "%s", fixture_path(i));
		cr_assert(!rename(path, away) && !rename(foreign, path));
		cr_expect_eq(verify(own), KP_VERIFY_DAMAGE, "segment %u", i);
		cr_assert(!rename(path, foreign) && !rename(away, path));
	}
	expect_whole();
	strcpy(fixture_dir, other);
	fixture_teardown();
	strcpy(fixture_dir, own);
}

Test(verify, a_folder_of_another_boot_is_found)
{
	char path[512], other[512];

	write_log(1, 68);
	snprintf(path, sizeof(path), "%s", fixture_path(0));
	snprintf(other, sizeof(other), "%s/another", fixture_dir);
	cr_assert_eq(rename(path, other), 0);
	expect_damage("of another boot");
	cr_expect_eq(verify(other), KP_VERIFY_NOTE, "alone it may have any name");
}

static void append_retain(struct kp_log_writer *writer, uint64_t segment)
{
	struct {
		struct kp_ev_retain event;
		char name[56];
	} u;
	char name[KP_SEG_NAME_MAX];

	memset(&u, 0, sizeof(u));
	kp_seg_name(segment, name);
	u.event.data_len = (kp_u32)snprintf(u.name, sizeof(u.name), "%s/%s",
					    strrchr(fixture_path(0), '/') + 1, name);
	u.event.why = KP_RETAIN_size;
	append(writer, KP_CPU_USER, &u.event.hdr,
	       KP_ALIGN8((uint32_t)sizeof(u.event) + u.event.data_len), KP_EV_retain);
}

/* What retention took is missing with reason; one more is not. */
Test(verify, what_retention_says_it_took_is_no_damage)
{
	struct kp_log_writer *writer;

	write_log(LOG_LEN / 4, 69);
	writer = fixture_create(SEGMENT_LEN);
	append_retain(writer, 2);
	fixture_close(writer);
	unlink(fixture_path(1));
	unlink(fixture_path(2));
	expect_whole();
	unlink(fixture_path(3));
	expect_damage("nothing says that retention removed them");
}

/* --- accounts --- */

static void write_accounts(uint64_t produced, uint64_t stored, uint64_t lost, uint64_t told)
{
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_ev_record_stats stats = {.produced = produced,
					   .stored = stored,
					   .lost = lost,
					   .of_group = KP_GROUP_life,
					   .of_cpu = 1};
	struct kp_ev_lost loss = {
		.count = told, .lost_group = KP_GROUP_life, .lost_cpu = 1, .lost_stream = 1};
	struct kp_ev_task_exit exits = {.exit_code = 0};

	for (int i = 0; i < 3; i++)
		append(writer, i ? 1 : 1 | KP_STREAM_LIFE, &exits.hdr, sizeof(exits),
		       KP_EV_task_exit);
	if (told)
		append(writer, KP_CPU_USER, &loss.hdr, sizeof(loss), KP_EV_lost);
	append(writer, KP_CPU_USER, &stats.hdr, sizeof(stats), KP_EV_record_stats);
	fixture_close(writer);
}

Test(verify, accounts_that_add_up)
{
	write_accounts(3, 3, 0, 0);
	expect_whole();
}

Test(verify, lost_events_are_no_damage_but_are_told)
{
	write_accounts(10, 3, 7, 7);
	cr_expect_eq(verify(fixture_dir), KP_VERIFY_LOST, "%s", found.text);
}

Test(verify, accounts_that_do_not_add_up)
{
	write_accounts(4, 3, 0, 0);
	expect_damage("4 produced, 3 stored, 0 lost");
}

Test(verify, an_event_that_is_stored_and_not_there)
{
	write_accounts(4, 4, 0, 0);
	expect_damage("4 events of CPU 1 and class life were stored, and it has 3");
}

Test(verify, a_loss_that_is_not_told)
{
	write_accounts(10, 3, 7, 6);
	expect_damage("7 events of CPU 1 and class life were lost, and it has 6");
}

/* --- contents --- */

/* A file of this length, whose bytes are random if it is short. */
static ssize_t next_piece(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE])
{
	uint64_t rnd = 5, all = *(const uint64_t *)arg, left = all > *at ? all - *at : 0;
	size_t len = left < KP_OBJECT_PIECE ? (size_t)left : KP_OBJECT_PIECE;

	for (size_t i = 0; i < len; i++)
		piece[i] = len < KP_OBJECT_PIECE ? (unsigned char)synth_random(&rnd) : 1;
	return (ssize_t)len;
}

/* Changes the object's bytes from a part of it on. Its content is what is vouched for: there are
 * bits of a Zstandard frame that mean nothing. */
static void change_content(uint64_t len, unsigned part, off_t step)
{
	struct kp_log_writer *writer = fixture_create(0);
	struct kp_object_source source = {.len = len, .next = next_piece, .arg = &len};
	struct {
		struct kp_ev_file_object event;
		unsigned char hash[KP_OBJECT_HASH_LEN];
	} named = {.event = {.data_len = KP_OBJECT_HASH_LEN}};
	char name[KP_OBJECT_NAME_LEN], path[512];
	struct kp_objects *objects;
	struct kp_object object;
	unsigned char byte, changed;
	struct stat st;
	int fd;

	cr_assert_eq(kp_log_make_objects(writer, &objects, NULL), 0);
	cr_assert_eq(kp_objects_put(objects, &source, &object, NULL), 0);
	kp_objects_free(objects);
	named.event.len = object.len;
	memcpy(named.hash, object.hash, sizeof(named.hash));
	append(writer, KP_CPU_USER, &named.event.hdr, sizeof(named), KP_EV_file_object);
	fixture_close(writer);
	expect_whole();
	kp_object_name(&object, name);
	snprintf(path, sizeof(path), "%s/objects/%s", fixture_dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_eq(fstat(fd, &st), 0);
	for (off_t at = st.st_size / 2 * part; at < st.st_size; at += step) {
		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		changed = part ? byte ^ (unsigned char)(1u << at % 8) : (unsigned char)~byte;
		cr_assert_eq(pwrite(fd, &changed, 1, at), 1);
		cr_expect_eq(verify(fixture_dir), KP_VERIFY_DAMAGE, "byte %lu", (unsigned long)at);
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	expect_whole();
	cr_assert_eq(unlink(path), 0);
	expect_damage("it is not there");
}

Test(verify, a_content_that_is_changed_or_gone_is_found)
{
	change_content(1000, 0, 1);
}

/* It packs so well that zeros are put behind it. */
Test(verify, a_content_that_is_filled_up_and_changed_is_found)
{
	change_content(16 * KP_OBJECT_PIECE, 1, 97);
}

/* --- others --- */

Test(verify, a_log_that_is_being_recorded_is_no_damage)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 6;

	append_any(writer, &time_ns, &rnd);
	expect_whole();
	fixture_close(writer);
	expect_whole();
}

Test(verify, what_is_no_log_is_an_error)
{
	struct kp_verify_options options = {.tell = tell};
	struct kp_verified verified;

	cr_expect_eq(kp_verify(fixture_dir, &options, &verified, NULL), -ENOENT);
	cr_expect_eq(kp_verify("/no/such/log", &options, &verified, NULL), -ENOENT);
}
