/* SPDX-License-Identifier: MIT
 * The archive of mapped files: what is copied later is what was mapped, or is marked.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/event.h"
#include "log/object.h"
#include "record/archive.h"

#define OLD_US \
	100000 /* a file this old is not taken for one that may change within a clock's tick */
#define FILES 8

static char path[] = "/var/tmp/kprobe-archive-XXXXXX";
static char log_dir[] = "/var/tmp/kprobe-objects-XXXXXX";
static int file, log_fd;

static void make_file(void)
{
	file = mkstemp(path);
	cr_assert(file >= 0);
	cr_assert(mkdtemp(log_dir));
	log_fd = open(log_dir, O_RDONLY | O_DIRECTORY);
	cr_assert(log_fd >= 0);
}

static void remove_file(void)
{
	char command[96];

	unlink(path);
	close(file);
	close(log_fd);
	snprintf(command, sizeof(command), "rm -r %s", log_dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(archive, .init = make_file, .fini = remove_file);

/* What came, by file_id; `gate` is taken for each event. */
struct seen {
	sem_t gate;
	struct kp_ev_file_info info[FILES];
	struct kp_ev_file_object end[FILES];
	struct kp_object object[FILES];
	char begin[FILES][16]; /* of the content */
	int infos;
};

static int take_page(void *arg, uint64_t offset, const unsigned char *data, size_t len)
{
	if (!offset)
		memcpy(arg, data, len < 15 ? len : 15);
	return 0;
}

/* The event comes when its object is there. */
static void read_back(struct seen *seen, const struct kp_ev_file_object *event)
{
	struct kp_object *object = &seen->object[event->file_id];
	int fd = kp_objects_open(log_dir);
	const char *why = "";

	cr_expect_eq(event->data_len, event->state ? 0 : KP_OBJECT_HASH_LEN);
	memcpy(&seen->end[event->file_id], event, sizeof(*event));
	object->len = event->len;
	memcpy(object->hash, KP_TAIL(event), event->data_len);
	if (!event->state)
		cr_expect_eq(kp_object_read(fd, object, seen->info[event->file_id].len, take_page,
					    seen->begin[event->file_id], &why),
			     0, "%s", why);
	close(fd);
}

static void put(void *arg, const struct kp_hdr *event)
{
	struct seen *seen = arg;

	sem_wait(&seen->gate);
	sem_post(&seen->gate);
	cr_expect_eq(kp_event_validate(event, event->size, NULL), 0);
	if (event->kind == KP_EV_file_info) {
		seen->infos++;
		memcpy(&seen->info[((const struct kp_ev_file_info *)event)->file_id], event,
		       sizeof(seen->info[0]));
	}
	if (event->kind == KP_EV_file_object)
		read_back(seen, (const void *)event);
}

/* Whether the archives that are started mask card numbers. */
static bool is_masked;

static struct kp_archive *start(struct seen *seen, struct kp_sink *sink, unsigned gate)
{
	struct kp_objects *objects;
	struct kp_archive *archive;
	struct kp_err err;

	memset(seen, 0, sizeof(*seen));
	sem_init(&seen->gate, 0, gate);
	*sink = (struct kp_sink){put, seen};
	cr_assert_eq(kp_objects_make(log_fd, log_dir, &objects, &err), 0, "%s", err.text);
	cr_assert_eq(kp_archive_new(sink, objects, is_masked, &archive, &err), 0, "%s", err.text);
	return archive;
}

/* Makes the file again with this content, and lets it grow old. */
static void write_file(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	usleep(OLD_US);
}

static void close_writer(void)
{
	close(file);
	file = -1;
}

static void wait_all(struct kp_archive *archive)
{
	while (!kp_archive_wait(archive, 1000000000))
		;
}

Test(archive, one_copy_per_content)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	close_writer();
	write_file("first");
	archive = start(&seen, &sink, 1);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	wait_all(archive);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	cr_assert_eq(seen.infos, 1);
	write_file("second");
	cr_assert_eq(kp_archive_pin(archive, path, false), 2);
	wait_all(archive);
	cr_assert_str_eq(seen.begin[1], "first");
	cr_assert_str_eq(seen.begin[2], "second");
	cr_assert_eq(seen.end[2].state, KP_FILE_WHOLE);
	cr_assert_eq(seen.end[2].written, 0);
	cr_assert_eq(seen.info[2].len, 6);
	kp_archive_free(archive);
}

Test(archive, a_second_run_writes_no_object_again)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;
	uint64_t written;

	close_writer();
	write_file("shared");
	archive = start(&seen, &sink, 1);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	wait_all(archive);
	written = kp_archive_written(archive);
	cr_assert_gt(written, 0);
	kp_archive_free(archive);
	archive = start(&seen, &sink, 1);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	wait_all(archive);
	cr_assert_eq(kp_archive_written(archive), 0);
	cr_assert_str_eq(seen.begin[1], "shared");
	kp_archive_free(archive);
}

Test(archive, what_cannot_be_written_is_marked_and_said)
{
	struct kp_archive *archive;
	struct kp_err err = {""};
	char folder[64];
	struct kp_sink sink;
	struct seen seen;

	close_writer();
	write_file("before");
	archive = start(&seen, &sink, 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	snprintf(folder, sizeof(folder), "%s/objects", log_dir);
	cr_assert_eq(rmdir(folder), 0);
	sem_post(&seen.gate);
	wait_all(archive);
	cr_assert_eq(seen.end[1].state, KP_FILE_UNWRITTEN);
	cr_assert_lt(kp_archive_error(archive, &err), 0);
	cr_assert(strstr(err.text, "/objects"), "%s", err.text);
	kp_archive_free(archive);
}

Test(archive, what_changes_before_it_is_copied_is_marked)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;
	uint32_t left;

	if (geteuid())
		cr_skip_test("only root can give up the right to a lease");
	write_file("before");
	cr_assert_eq(fchmod(file, 0644), 0);
	usleep(OLD_US);
	archive = start(&seen, &sink, 0); /* nothing gets through */
	cr_assert_eq(seteuid(65534), 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(kp_archive_left(archive, &left), 6);
	cr_assert_eq(left, 1);
	cr_assert_eq(pwrite(file, "after!", 6, 0), 6);
	sem_post(&seen.gate);
	wait_all(archive);
	cr_assert_eq(seen.end[1].state, KP_FILE_CHANGED);
	kp_archive_free(archive);
}

Test(archive, what_is_open_for_writing_is_read_at_once)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	write_file("before"); /* `file` stays open for writing */
	archive = start(&seen, &sink, 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	cr_assert_eq(pwrite(file, "after!", 6, 0), 6);
	sem_post(&seen.gate);
	wait_all(archive);
	cr_assert_eq(seen.end[1].state, KP_FILE_WHOLE);
	cr_assert_eq(seen.end[1].written, 1);
	cr_assert_str_eq(seen.begin[1], "before");
	kp_archive_free(archive);
}

static void *write_after(void *arg)
{
	(void)arg;
	write_file("after!");
	return NULL;
}

Test(archive, who_wants_to_write_waits_for_the_copy)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;
	pthread_t writer;

	cr_assert_eq(write(file, "before", 6), 6);
	close_writer();
	archive = start(&seen, &sink, 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	pthread_create(&writer, NULL, write_after, NULL);
	usleep(OLD_US);
	sem_post(&seen.gate);
	wait_all(archive);
	pthread_join(writer, NULL);
	cr_assert_eq(seen.end[1].state, KP_FILE_WHOLE);
	cr_assert_eq(seen.end[1].written, 0);
	cr_assert_str_eq(seen.begin[1], "before");
	kp_archive_free(archive);
}

Test(archive, a_new_name_is_no_change)
{
	char other[64];
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	close_writer();
	write_file("before");
	archive = start(&seen, &sink, 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	snprintf(other, sizeof(other), "%s.new", path);
	cr_assert_eq(rename(path, other), 0);
	sem_post(&seen.gate);
	wait_all(archive);
	unlink(other);
	cr_assert_eq(seen.end[1].state, KP_FILE_WHOLE);
	kp_archive_free(archive);
}

Test(archive, holes_are_not_kept)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	cr_assert_eq(write(file, "data", 4), 4);
	cr_assert_eq(ftruncate(file, 3ll << 30), 0);
	close_writer();
	usleep(OLD_US);
	archive = start(&seen, &sink, 1);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	wait_all(archive);
	cr_assert_eq(seen.info[1].len, 3ull << 30);
	cr_assert_lt(seen.end[1].len, 1 << 20);
	cr_assert_eq(seen.end[1].state, KP_FILE_WHOLE);
	kp_archive_free(archive);
}

Test(archive, what_is_not_copied_at_the_end_is_marked)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	cr_assert_eq(ftruncate(file, 0), 0);
	for (int i = 0; i < 64; i++)
		cr_assert_eq(write(file, seen.begin, sizeof(seen.begin)), sizeof(seen.begin));
	close_writer();
	usleep(OLD_US);
	archive = start(&seen, &sink, 0);
	cr_assert_eq(kp_archive_pin(archive, path, false), 1);
	cr_assert_eq(kp_archive_wait(archive, 1000000), false);
	kp_archive_stop(archive);
	sem_post(&seen.gate);
	kp_archive_free(archive);
	cr_assert_eq(seen.end[1].state, KP_FILE_DROPPED);
}

Test(archive, only_regular_files)
{
	struct kp_archive *archive;
	struct kp_sink sink;
	struct seen seen;

	archive = start(&seen, &sink, 1);
	cr_assert_eq(kp_archive_pin(archive, "/dev/zero", false), 0);
	cr_assert_eq(kp_archive_pin(archive, "/nonexistent", false), 0);
	kp_archive_free(archive);
	cr_assert_eq(seen.infos, 0);
}
