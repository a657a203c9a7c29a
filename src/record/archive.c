/* SPDX-License-Identifier: MIT
 *
 * The archive of mapped files; see archive.h.
 *
 * What is pinned must not change before it is copied. A read lease (fcntl(2), F_SETLEASE) sees to
 * that: the kernel grants none while the file is open for writing, which a shared map counts as,
 * and who opens it for writing later waits until it is copied, before all others then. A file that
 * somebody has open for writing is read at once, while its process is held.
 *
 * Without the right to a lease (CAP_LEASE, for files of others) the file's length and times must be
 * the same before and after it is copied. They do not tell all: the clock behind the times ticks
 * every few milliseconds. So a file is then read at once if it was changed a moment ago, or if
 * others than the superuser could have it open for writing.
 *
 * Locks: `lock` over the queue and what is said of it. The table belongs to the thread that pins.
 */
#include "record/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/card.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "record/thread.h"

/* A file changed less than this before it was pinned may change again within a tick of its times.
 */
#define FRESH_NS 50000000ull
/* Files read while their process is held wait in memory up to this, else their process waits. */
#define MEMORY_MAX (64ull << 20)
#define PINNED_MAX 1000 /* open files, and a quarter of those that we may have */
#define NONE UINT32_MAX

/* A content that is pinned or copied. */
struct entry {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	uint32_t file_id;
	uint32_t older; /* index of the next entry with the same key, or NONE */
};

struct job {
	struct job *next;
	int fd;
	bool leased;
	bool waited;            /* somebody waits for it, and frees it */
	bool done;              /* …when this is set */
	unsigned char *content; /* what was read while the process was held, or NULL */
	struct stat st;         /* of the file when it was pinned */
	struct kp_ev_file_object end;
	size_t path_len;
	char path[4096];
};

struct kp_archive {
	const struct kp_sink *sink;
	struct kp_objects *objects;
	bool is_masked;
	unsigned char around[KP_OBJECT_PIECE + 2 * KP_CARD_REACH]; /* a piece, of the thread */
	KP_VEC(struct entry) entries;
	struct kp_map index; /* of the newest entry, by device and inode */
	pthread_t thread;
	_Atomic pid_t tid; /* of the thread */

	pthread_mutex_t lock;
	pthread_cond_t work; /* the queue has a job, or stopping */
	pthread_cond_t done; /* a job is done */
	struct job *head, **tail;
	uint32_t left_max; /* PINNED_MAX, or less */
	uint32_t left_cnt; /* jobs not done */
	uint64_t left_len; /* their bytes */
	uint64_t memory;   /* bytes of content */
	int error;         /* of writing, the first */
	struct kp_err error_text;
	_Atomic uint64_t copied; /* bytes */
	_Atomic bool stopping;
};

/* --- what is there already --- */

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_content(const struct entry *entry, const struct stat *st)
{
	return entry->dev == st->st_dev && entry->ino == st->st_ino && entry->size == st->st_size &&
	       same_time(entry->mtime, st->st_mtim) && same_time(entry->ctime, st->st_ctim);
}

/* Two files may share a key. */
static uint64_t key_of(const struct stat *st)
{
	return (uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 40;
}

static uint32_t find(const struct kp_archive *archive, const struct stat *st)
{
	const uint64_t *newest = kp_map_get(&archive->index, key_of(st));
	uint32_t i = newest ? (uint32_t)*newest : NONE;

	while (i != NONE && !same_content(&archive->entries.at[i], st))
		i = archive->entries.at[i].older;
	return i == NONE ? 0 : archive->entries.at[i].file_id;
}

/* Gives the content a number; 0: out of memory. */
static uint32_t remember(struct kp_archive *archive, const struct stat *st)
{
	uint64_t *newest = kp_map_upsert(&archive->index, key_of(st), NONE);
	struct entry entry = {.dev = st->st_dev,
			      .ino = st->st_ino,
			      .size = st->st_size,
			      .mtime = st->st_mtim,
			      .ctime = st->st_ctim,
			      .file_id = archive->entries.cnt + 1};

	if (!newest)
		return 0;
	entry.older = (uint32_t)*newest;
	if (KP_VEC_PUSH(&archive->entries, entry) < 0)
		return 0;
	*newest = entry.file_id - 1;
	return entry.file_id;
}

/* --- copying --- */

static void put_info(struct kp_archive *archive, const struct job *job)
{
	struct kp_ev_file_info info = {
		.ino = job->st.st_ino,
		.len = (uint64_t)job->st.st_size,
		.mtime_ns = (uint64_t)job->st.st_mtim.tv_sec * 1000000000 +
			    (uint64_t)job->st.st_mtim.tv_nsec,
		.dev = major(job->st.st_dev) << 20 | minor(job->st.st_dev),
		.file_id = job->end.file_id,
	};

	kp_sink_put(archive->sink, KP_EV_file_info, &info, sizeof(info), job->path, job->path_len);
}

static bool has_lease(const struct job *job)
{
	return job->leased && fcntl(job->fd, F_GETLEASE) == F_RDLCK;
}

/* An untouched lease says more than the times, which a new name changes too. */
static bool unchanged(const struct job *job)
{
	struct stat st;

	if (has_lease(job))
		return true;
	return fstat(job->fd, &st) == 0 && st.st_size == job->st.st_size &&
	       same_time(st.st_mtim, job->st.st_mtim) && same_time(st.st_ctim, job->st.st_ctim);
}

/* The extent that begins at or behind `at`, up to the file's end; where holes are not told, all. */
static bool next_extent(const struct job *job, off_t at, off_t *ret_begin, off_t *ret_end)
{
	off_t begin = lseek(job->fd, at, SEEK_DATA), end = -1;

	if (begin < 0 && errno == ENXIO)
		return false;
	if (begin < 0)
		begin = at;
	else
		end = lseek(job->fd, begin, SEEK_HOLE);
	*ret_begin = begin;
	*ret_end = end < 0 || end > job->st.st_size ? job->st.st_size : end;
	return begin < *ret_end;
}

/* Up to len bytes, less only at the file's end. */
static ssize_t read_at(const struct job *job, off_t at, unsigned char *data, size_t len)
{
	size_t done = 0;
	ssize_t n = 1;

	if (job->st.st_size - at < (off_t)len)
		len = (size_t)(job->st.st_size - at);
	while (done < len && n > 0) {
		n = pread(job->fd, data + done, len - done, at + (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? -errno : (ssize_t)done;
}

/* A piece with the card numbers in it masked, those that begin before it or end behind it too. */
static ssize_t read_masked(struct kp_archive *archive, struct job *job, off_t at,
			   unsigned char *piece)
{
	size_t before = at ? KP_CARD_REACH : 0, len;
	ssize_t n = read_at(job, at - (off_t)before, archive->around,
			    before + KP_OBJECT_PIECE + KP_CARD_REACH);

	if (n < (ssize_t)before)
		return n < 0 ? n : 0;
	len = (size_t)n - before;
	len = len < KP_OBJECT_PIECE ? len : KP_OBJECT_PIECE;
	job->end.masked +=
		(uint32_t)kp_card_mask_part(archive->around, (size_t)n, before, before + len, 0);
	memcpy(piece, archive->around + before, len);
	return (ssize_t)len;
}

/* Whole pieces, which hold what the extent does, and zeros around. */
static ssize_t read_piece(struct kp_archive *archive, struct job *job, off_t at,
			  unsigned char *piece)
{
	return archive->is_masked ? read_masked(archive, job, at, piece)
				  : read_at(job, at, piece, KP_OBJECT_PIECE);
}

/* For kp_objects_put; says in the job's state why the content cannot be had. */
struct copying {
	struct kp_archive *archive;
	struct job *job;
	off_t extent_end;
};

static ssize_t stop_at(struct copying *copying, enum kp_file_state state)
{
	copying->job->end.state = state;
	return -ECANCELED;
}

static ssize_t copy_file(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE])
{
	struct copying *copying = arg;
	off_t begin = (off_t)*at;
	ssize_t n;

	if (!begin)
		copying->extent_end = copying->job->end.masked = 0;
	if (begin >= copying->extent_end &&
	    !next_extent(copying->job, begin, &begin, &copying->extent_end))
		return 0;
	if (copying->archive->stopping)
		return stop_at(copying, KP_FILE_DROPPED);
	begin -= begin % KP_OBJECT_PIECE;
	n = read_piece(copying->archive, copying->job, begin, piece);
	if (n < 0)
		return stop_at(copying, KP_FILE_UNREADABLE);
	if (n < KP_OBJECT_PIECE && begin + n < copying->job->st.st_size)
		return stop_at(copying, KP_FILE_CHANGED);
	copying->archive->copied += (uint64_t)n;
	*at = (uint64_t)begin;
	return n;
}

static ssize_t copy_content(void *arg, uint64_t *at, unsigned char piece[KP_OBJECT_PIECE])
{
	const struct copying *copying = arg;
	uint64_t len = (uint64_t)copying->job->st.st_size, n;

	if (*at >= len)
		return 0;
	n = len - *at < KP_OBJECT_PIECE ? len - *at : KP_OBJECT_PIECE;
	memcpy(piece, copying->job->content + *at, n);
	copying->archive->copied += n;
	return (ssize_t)n;
}

static void keep_error(struct kp_archive *archive, int error, const struct kp_err *text)
{
	pthread_mutex_lock(&archive->lock);
	if (!archive->error) {
		archive->error = error;
		archive->error_text = *text;
	}
	pthread_mutex_unlock(&archive->lock);
}

/* What was read at once is read no more: whether it changed since does not matter. */
static void put_object(struct kp_archive *archive, struct job *job, struct kp_object *ret_object)
{
	struct copying copying = {.archive = archive, .job = job};
	const struct kp_object_source source = {(uint64_t)job->st.st_size,
						job->content ? copy_content : copy_file, &copying};
	struct kp_err err = {""};
	int r;

	if (job->content && archive->is_masked)
		job->end.masked = (uint32_t)kp_card_mask(job->content, (size_t)job->st.st_size, 0);
	r = kp_objects_put(archive->objects, &source, ret_object, &err);

	if (r == -ESTALE || (r >= 0 && !job->content && !unchanged(job)))
		job->end.state = KP_FILE_CHANGED;
	if (r < 0 && job->end.state == KP_FILE_WHOLE) {
		job->end.state = KP_FILE_UNWRITTEN;
		keep_error(archive, r, &err);
	}
}

static void copy(struct kp_archive *archive, struct job *job)
{
	struct kp_object object;
	size_t hash_len = 0;

	put_info(archive, job);
	if (!job->content && archive->stopping)
		job->end.state = KP_FILE_DROPPED;
	else if (!job->content && !unchanged(job))
		job->end.state = KP_FILE_CHANGED;
	else if (job->end.state == KP_FILE_WHOLE)
		put_object(archive, job, &object);
	if (job->end.state == KP_FILE_WHOLE) {
		job->end.len = object.len;
		hash_len = sizeof(object.hash);
	}
	kp_sink_put(archive->sink, KP_EV_file_object, &job->end, sizeof(job->end), object.hash,
		    hash_len);
}

static void finish(struct kp_archive *archive, struct job *job)
{
	bool waited = job->waited;

	close(job->fd);
	pthread_mutex_lock(&archive->lock);
	archive->left_cnt--;
	archive->left_len -= (uint64_t)job->st.st_size;
	if (job->content)
		archive->memory -= (uint64_t)job->st.st_size;
	free(job->content);
	job->done = true;
	pthread_cond_broadcast(&archive->done);
	pthread_mutex_unlock(&archive->lock);
	if (!waited)
		free(job);
}

/* Takes the first job from the queue, or rather one whose file somebody waits to write. */
static struct job *take_job(struct kp_archive *archive)
{
	struct job **at = &archive->head, *job;

	while (*at && (!(*at)->leased || has_lease(*at)))
		at = &(*at)->next;
	if (!*at)
		at = &archive->head;
	job = *at;
	if (job) {
		*at = job->next;
		if (archive->tail == &job->next)
			archive->tail = at;
	}
	return job;
}

static void *copy_loop(void *arg)
{
	struct kp_archive *archive = arg;
	struct job *job;

	/* Behind the command: nobody waits for the copies until it has ended. */
	archive->tid = gettid();
	setpriority(PRIO_PROCESS, (id_t)archive->tid, 10);
	for (;;) {
		pthread_mutex_lock(&archive->lock);
		while (!archive->head && !archive->stopping)
			pthread_cond_wait(&archive->work, &archive->lock);
		job = take_job(archive);
		pthread_mutex_unlock(&archive->lock);
		if (!job)
			return NULL;
		copy(archive, job);
		finish(archive, job);
	}
}

/* --- pinning --- */

/* Takes a lease; false: somebody has the file open for writing, or may have. */
static bool take_lease(struct job *job)
{
	/* Were it SIGIO that is sent when the lease is to be broken, it would end us. */
	fcntl(job->fd, F_SETSIG, SIGURG);
	job->leased = fcntl(job->fd, F_SETLEASE, F_RDLCK) == 0;
	return job->leased || (errno != EAGAIN && !job->st.st_uid && !(job->st.st_mode & 022));
}

static uint64_t ns_of(struct timespec time)
{
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static bool is_fresh(const struct stat *st)
{
	uint64_t now = kp_clock_ns(CLOCK_REALTIME);

	/* One from the future may be changed without its time being another: the clock was set. */
	return ns_of(st->st_mtim) + FRESH_NS > now || ns_of(st->st_ctim) + FRESH_NS > now;
}

/* Reads the file into memory while nobody else changes it; false: there is no room, or it did. */
static bool read_now(struct kp_archive *archive, struct job *job)
{
	size_t len = (size_t)job->st.st_size, done = 0;
	ssize_t n = 1;
	bool room;

	pthread_mutex_lock(&archive->lock);
	room = archive->memory + len <= MEMORY_MAX;
	pthread_mutex_unlock(&archive->lock);
	job->content = room ? malloc(len ? len : 1) : NULL;
	while (job->content && done < len && n > 0) {
		n = pread(job->fd, job->content + done, len - done, (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (job->content && done == len) {
		job->end.state = unchanged(job) ? KP_FILE_WHOLE : KP_FILE_CHANGED;
		return true;
	}
	free(job->content);
	job->content = NULL;
	return false;
}

/* Queues a job; at the front and until it is done if its process must be held so long. */
static uint32_t submit(struct kp_archive *archive, struct job *job)
{
	uint32_t file_id = job->end.file_id;
	bool waited = job->waited;

	pthread_mutex_lock(&archive->lock);
	while (archive->left_cnt >= archive->left_max && !archive->stopping)
		pthread_cond_wait(&archive->done, &archive->lock);
	archive->left_cnt++;
	archive->left_len += (uint64_t)job->st.st_size;
	if (job->content)
		archive->memory += (uint64_t)job->st.st_size;
	if (job->waited) {
		job->next = archive->head;
		archive->head = job;
		if (archive->tail == &archive->head)
			archive->tail = &job->next;
	} else {
		*archive->tail = job;
		archive->tail = &job->next;
	}
	pthread_cond_signal(&archive->work);
	while (waited && !job->done)
		pthread_cond_wait(&archive->done, &archive->lock);
	pthread_mutex_unlock(&archive->lock);
	if (waited)
		free(job);
	return file_id;
}

/* Opens a regular file; waits for descriptors to become free when there are none. */
static int open_file(struct kp_archive *archive, const char *link)
{
	int fd;

	while ((fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0 &&
	       (errno == EMFILE || errno == ENFILE)) {
		pthread_mutex_lock(&archive->lock);
		if (!archive->left_cnt) {
			pthread_mutex_unlock(&archive->lock);
			return -1;
		}
		pthread_cond_wait(&archive->done, &archive->lock);
		pthread_mutex_unlock(&archive->lock);
	}
	return fd;
}

/* Pins what is open at fd; takes fd over. */
static uint32_t pin(struct kp_archive *archive, int fd, const char *link, bool is_shared)
{
	struct job *job = calloc(1, sizeof(*job));
	ssize_t len;

	if (!job || fstat(fd, &job->st) < 0 || !S_ISREG(job->st.st_mode) ||
	    (uint64_t)job->st.st_blocks * 512 > KP_ARCHIVE_FILE_MAX)
		goto none;
	job->fd = fd;
	job->end.file_id = remember(archive, &job->st);
	if (!job->end.file_id)
		goto none;
	len = readlink(link, job->path, sizeof(job->path));
	job->path_len = len > 0 ? (size_t)len : 0;
	job->end.written = !take_lease(job) || is_shared;
	if (job->end.written || (!job->leased && is_fresh(&job->st)))
		job->waited = !read_now(archive, job);
	return submit(archive, job);
none:
	free(job);
	close(fd);
	return 0;
}

uint32_t kp_archive_pin(struct kp_archive *archive, const char *link, bool is_shared)
{
	uint32_t file_id;
	struct stat st;
	int fd;

	/* Opening anything but a regular file can have effects. */
	if (stat(link, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	file_id = find(archive, &st);
	if (file_id)
		return file_id;
	fd = open_file(archive, link);
	return fd < 0 ? 0 : pin(archive, fd, link, is_shared);
}

/* --- the interface --- */

uint64_t kp_archive_left(struct kp_archive *archive, uint32_t *ret_files)
{
	uint64_t len;

	pthread_mutex_lock(&archive->lock);
	*ret_files = archive->left_cnt;
	len = archive->left_len;
	pthread_mutex_unlock(&archive->lock);
	return len;
}

uint64_t kp_archive_copied(struct kp_archive *archive)
{
	return archive->copied;
}

uint64_t kp_archive_written(struct kp_archive *archive)
{
	return kp_objects_written(archive->objects);
}

int kp_archive_error(struct kp_archive *archive, struct kp_err *ret_err)
{
	int error;

	pthread_mutex_lock(&archive->lock);
	error = archive->error;
	*ret_err = archive->error_text;
	pthread_mutex_unlock(&archive->lock);
	return error;
}

bool kp_archive_wait(struct kp_archive *archive, uint64_t wait_ns)
{
	struct timespec until = kp_cond_until(wait_ns);
	bool all;

	if (archive->tid)
		setpriority(PRIO_PROCESS, (id_t)archive->tid, 0);
	pthread_mutex_lock(&archive->lock);
	while (archive->left_cnt &&
	       pthread_cond_timedwait(&archive->done, &archive->lock, &until) != ETIMEDOUT)
		;
	all = !archive->left_cnt;
	pthread_mutex_unlock(&archive->lock);
	return all;
}

static void discard(struct kp_archive *archive)
{
	pthread_cond_destroy(&archive->work);
	pthread_cond_destroy(&archive->done);
	pthread_mutex_destroy(&archive->lock);
	kp_map_done(&archive->index);
	KP_VEC_DONE(&archive->entries);
	kp_objects_free(archive->objects);
	free(archive);
}

static uint32_t pinned_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 >= PINNED_MAX)
		return PINNED_MAX;
	return limit.rlim_cur < 8 ? 1 : (uint32_t)limit.rlim_cur / 4;
}

int kp_archive_new(const struct kp_sink *sink, struct kp_objects *objects, bool is_masked,
		   struct kp_archive **ret_archive, struct kp_err *err)
{
	struct kp_archive *archive = calloc(1, sizeof(*archive));
	int r;

	if (!archive) {
		kp_objects_free(objects);
		return kp_err_sys(err, -ENOMEM, "cannot keep mapped files");
	}
	archive->sink = sink;
	archive->objects = objects;
	archive->is_masked = is_masked;
	archive->tail = &archive->head;
	archive->left_max = pinned_max();
	pthread_mutex_init(&archive->lock, NULL);
	pthread_cond_init(&archive->work, NULL);
	kp_cond_init_timed(&archive->done);
	r = kp_thread_start(&archive->thread, "kp-archive", copy_loop, archive);
	if (r < 0) {
		discard(archive);
		return kp_err_sys(err, r, "cannot keep mapped files");
	}
	*ret_archive = archive;
	return 0;
}

void kp_archive_stop(struct kp_archive *archive)
{
	pthread_mutex_lock(&archive->lock);
	archive->stopping = true;
	pthread_cond_signal(&archive->work);
	pthread_mutex_unlock(&archive->lock);
}

void kp_archive_free(struct kp_archive *archive)
{
	if (!archive)
		return;
	kp_archive_stop(archive);
	pthread_join(archive->thread, NULL);
	discard(archive);
}
