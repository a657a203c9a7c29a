/* SPDX-License-Identifier: MIT
 *
 * The writer; see writer.h. One thread appends; another may sync beside it. The append side owns
 * everything but what `mutex` guards: the descriptors that a sync has to reach. Syncing never holds
 * the mutex, so that an append never waits for the disk's cache.
 */
#include "log/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/limit.h"
#include "event/event.h"
#include "event/kinds.h"
#include "log/codec.h"
#include "log/folder.h"
#include "log/json.h"
#include "log/recover.h"
#include "log/reserve.h"
#include "log/segment.h"

#define DEFAULT_SEGMENT_LEN (64u * 1024u * 1024u)
#define SEALED_MAX 8

struct kp_log_writer {
	char *dir;
	char machine_id[64]; /* "" if the host has none */
	char boot_id[64];
	char node[256];
	char *options_json;
	uint64_t run; /* random number of this run */
	struct kp_log_place resumed_at;
	struct kp_log_place *place;
	uint64_t boot_number; /* grows from boot to boot */
	int dir_fd;           /* carries the lock */
	int boot_fd;
	uint64_t segment_len;
	void (*on_segment)(uint64_t segment, void *arg);
	void *on_segment_arg;
	struct kp_encoder *encoder;

	/* the open segment */
	struct kp_seg_hdr hdr;
	struct kp_hash prev;   /* of its last header */
	uint64_t offset;       /* its length */
	uint64_t snapshot_len; /* of it, header and snapshots: what does not fill it */
	uint64_t block_cnt;
	uint64_t first_ns, last_ns; /* of its events */
	uint64_t events_before;     /* event_cnt when it was begun */
	struct kp_set kinds, tids;
	struct kp_buf heads; /* headers of its blocks, for the index; no more behind KP_MAX_INDEX */
	_Atomic uint64_t written; /* all segments */
	bool has_end;

	_Atomic uint64_t event_cnt; /* appended */
	_Atomic bool is_removed;    /* somebody has removed the open segment */
	_Atomic bool is_ending;     /* what comes now may use the reserve */
	int reserve_fd;             /* -1: none, or used */

	pthread_mutex_t mutex;
	int fd;                 /* the open segment, -1: none; changed under the mutex */
	int sealed[SEALED_MAX]; /* older segments not synced yet */
	unsigned sealed_cnt;
	bool is_dir_dirty;     /* a new file's name is not synced yet */
	uint64_t segment_from; /* event_cnt when the open segment was begun */
	uint64_t settled_cnt; /* of the events, those that a sync has brought to disk, or has not */
	uint64_t doubtful_cnt; /* of those, the latter */
};

/* Different at each call, not secret: a recorder that starts early must not wait for entropy. */
static int random_u64(uint64_t *ret_value)
{
	ssize_t n = getrandom(ret_value, sizeof(*ret_value), GRND_INSECURE);

	return n == (ssize_t)sizeof(*ret_value) ? 0 : -EIO;
}

/* The one line of a file. */
static int read_id(const char *path, char *id, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int64_t n = fd < 0 ? -errno : kp_seg_read(fd, id, len - 1, 0);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return (int)n;
	id[n] = '\0';
	id[strcspn(id, "\n")] = '\0';
	return *id ? 0 : -EIO;
}

/* The header's text; segment.c lists its members. */
static int build_text(const struct kp_log_writer *w, struct kp_buf *out)
{
	struct utsname uts;

	uname(&uts);
	kp_buf_puts(out, "{\"machine_id\":");
	kp_buf_json(out, w->machine_id, strlen(w->machine_id));
	kp_buf_puts(out, ",\"node\":");
	kp_buf_json(out, w->node, strlen(w->node));
	kp_buf_puts(out, ",\"boot_id\":");
	kp_buf_json(out, w->boot_id, strlen(w->boot_id));
	kp_buf_puts(out, ",\"kernel\":");
	kp_buf_json(out, uts.release, strlen(uts.release));
	kp_buf_printf(out, ",\"boot_number\":%" PRIu64, w->boot_number);
	kp_buf_printf(out, ",\"run\":\"%016" PRIx64 "\"", w->run);
	if (w->hdr.sequence)
		kp_buf_printf(out, ",\"previous\":{\"blocks\":%" PRIu64 "}", w->block_cnt);
	kp_buf_printf(out, ",\"options\":%s,\"groups\":", w->options_json);
	kp_event_print_groups(out);
	kp_buf_puts(out, ",\"schema\":");
	kp_event_print_schema(out);
	kp_buf_puts(out, "}\n");
	return out->failed ? -ENOMEM : out->len > KP_MAX_HEADER ? -E2BIG : 0;
}

static int write_hdr(int fd, const struct kp_buf *text, uint64_t sequence,
		     const struct kp_hash *prev, struct kp_seg_hdr *ret_hdr)
{
	union kp_seg_head head = {
		.hdr = {.magic = KP_SEG_MAGIC,
			.version = KP_LOG_VERSION,
			.len = sizeof(head.hdr),
			.text_len = (uint32_t)text->len,
			.sequence = sequence,
			.realtime_ns = kp_clock_ns(CLOCK_REALTIME),
			.time_ns = kp_clock_ns(CLOCK_MONOTONIC),
			.prev = *prev,
			.text = kp_seg_hash(text->data, text->len)},
	};
	struct iovec iov[] = {{&head, sizeof(head.hdr)}, {text->data, text->len}};
	int r = random_u64(&head.hdr.salt);

	if (r < 0)
		return r;
	kp_seg_head_seal(&head);
	*ret_hdr = head.hdr;
	return kp_seg_write(fd, iov, 2, 0);
}

/* Hands the open segment over to the next sync, and makes fd the open one. */
static void swap_segment(struct kp_log_writer *w, int fd)
{
	int oldest = -1;

	pthread_mutex_lock(&w->mutex);
	if (w->fd >= 0) {
		if (w->sealed_cnt == SEALED_MAX) {
			oldest = w->sealed[0];
			memmove(w->sealed, w->sealed + 1, sizeof(w->sealed) - sizeof(w->sealed[0]));
			w->sealed_cnt--;
		}
		w->sealed[w->sealed_cnt++] = w->fd;
	}
	w->fd = fd;
	w->is_dir_dirty = true;
	w->segment_from = w->event_cnt;
	w->is_removed = false;
	pthread_mutex_unlock(&w->mutex);
	if (oldest >= 0) { /* nobody syncs, or far too slowly */
		fdatasync(oldest);
		close(oldest);
	}
}

/* Makes the file of a segment, from the reserve if that is wanted. The descriptor or -errno. */
static int make_segment(struct kp_log_writer *w, const char *name, bool from_reserve)
{
	int fd, r;

	if (!from_reserve) {
		fd = openat(w->boot_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		return fd < 0 ? -errno : fd;
	}
	fd = w->reserve_fd;
	w->reserve_fd = -1;
	if (fd < 0)
		return -ENOSPC;
	r = kp_reserve_name(fd, w->boot_fd, name);
	if (r >= 0)
		return fd;
	close(fd);
	return r;
}

/* The index in *ret_index, and what the seal says of it; without memory there is none, nor one that
 * no reader takes. */
static void make_index(const struct kp_log_writer *w, struct kp_seg_seal *seal,
		       struct kp_buf *ret_index)
{
	size_t max = ZSTD_compressBound(w->heads.len), len;
	void *to = w->heads.failed || !w->heads.len || w->heads.len > KP_MAX_INDEX
			   ? NULL
			   : kp_buf_reserve(ret_index, max);

	if (!to)
		return;
	len = ZSTD_compress(to, max, w->heads.data, w->heads.len, 1);
	if (ZSTD_isError(len) || len >= w->heads.len) {
		len = w->heads.len;
		memcpy(to, w->heads.data, len);
	}
	ret_index->len = len;
	seal->index = kp_seg_hash(to, len);
	seal->index_len = (uint32_t)len;
	seal->headers_len = (uint32_t)w->heads.len;
}

/* Seals the open segment, without its index if that has no room. */
static int write_seal(struct kp_log_writer *w, enum kp_end_reason reason, int sig)
{
	struct kp_seg_seal seal = {
		.salt = w->hdr.salt,
		.block_cnt = w->block_cnt,
		.event_cnt = w->event_cnt - w->events_before,
		.first_ns = w->first_ns,
		.last_ns = w->last_ns,
		.doubtful_cnt = kp_log_doubtful(w),
		.kinds = w->kinds,
		.tids = w->tids,
		.prev = w->prev,
		.reason = reason,
		.sig = (kp_u32)sig,
		.len = sizeof(seal),
		.magic = KP_END_MAGIC,
	};
	struct kp_buf index = {0};
	uint64_t len;
	int r;

	make_index(w, &seal, &index);
	do {
		kp_seg_seal_seal(&seal);
		len = seal.index_len + sizeof(seal);
		r = kp_seg_write(
			w->fd,
			(struct iovec[]){{index.data, seal.index_len}, {&seal, sizeof(seal)}}, 2,
			w->offset);
		if (r >= 0)
			w->written += len;
		else if (ftruncate(w->fd, (off_t)w->offset) < 0)
			break; /* a torn seal is read as none */
		len = seal.index_len;
		seal.index_len = seal.headers_len = 0;
	} while (r < 0 && len);
	kp_buf_done(&index);
	return r;
}

/* Begins the segment behind the newest one in the boot's folder. */
static int begin_segment(struct kp_log_writer *w, bool from_reserve, struct kp_err *err)
{
	char name[KP_SEG_NAME_MAX];
	struct kp_buf text = {0};
	struct kp_seg_hdr hdr;
	uint64_t sequence = w->hdr.sequence;
	int fd = -1, r;

	r = sequence ? 0 : kp_seg_find_last(w->boot_fd, &sequence);
	if (r < 0)
		return kp_err_sys(err, r, "cannot list %s/%s", w->dir, w->boot_id);
	kp_seg_name(++sequence, name);
	r = build_text(w, &text);
	if (r >= 0) {
		fd = make_segment(w, name, from_reserve);
		r = fd < 0 ? fd : write_hdr(fd, &text, sequence, &w->prev, &hdr);
		if (fd >= 0 && r < 0) {
			unlinkat(w->boot_fd, name, 0);
			close(fd);
		}
	}
	kp_buf_done(&text);
	if (r < 0)
		return kp_err_sys(err, r, "cannot begin the segment %s/%s/%s", w->dir, w->boot_id,
				  name);
	kp_seg_lock(fd);
	if (w->fd >= 0)
		write_seal(w, KP_END_FULL, 0); /* it is as good without */
	swap_segment(w, fd);
	w->hdr = hdr;
	w->first_ns = w->last_ns = 0;
	w->events_before = w->event_cnt;
	w->kinds = w->tids = (struct kp_set){{0}};
	kp_buf_reset(&w->heads);
	w->offset = w->snapshot_len = sizeof(hdr) + hdr.text_len;
	w->written += w->offset;
	w->block_cnt = 0;
	w->prev = kp_seg_hash(&hdr, sizeof(hdr));
	return 0;
}

static void call_on_segment(struct kp_log_writer *w)
{
	if (w->on_segment)
		w->on_segment(w->hdr.sequence, w->on_segment_arg);
}

/* Appends the counts up to the last that is not zero; lengths and checksum follow from them. */
static void put_lost(union kp_block_head *head, const uint64_t *lost)
{
	for (unsigned i = 0; i < KP_GROUP_CNT; i++) {
		head->lost[i] = lost[i];
		if (lost[i])
			head->hdr.lost_cnt = (kp_u8)(i + 1);
	}
	head->hdr.len = (kp_u16)(sizeof(head->hdr) + 8u * head->hdr.lost_cnt);
	kp_block_head_seal(head);
}

/* What the seal will say. */
static void note_block(struct kp_log_writer *w, const union kp_block_head *head)
{
	const struct kp_block_hdr *hdr = &head->hdr;

	if (!w->block_cnt || hdr->first_ns < w->first_ns)
		w->first_ns = hdr->first_ns;
	if (!w->block_cnt || hdr->last_ns > w->last_ns)
		w->last_ns = hdr->last_ns;
	kp_set_join(&w->kinds, &hdr->kinds);
	kp_set_join(&w->tids, &hdr->tids);
	if (w->heads.len <= KP_MAX_INDEX)
		kp_buf_append(&w->heads, head, hdr->len);
	w->block_cnt++;
}

static int write_block(struct kp_log_writer *w, uint32_t stream, const struct kp_encoded *enc,
		       uint32_t raw_len, const uint64_t *lost, struct kp_err *err)
{
	union kp_block_head head;
	struct kp_block_hdr *hdr = &head.hdr;
	uint32_t len;
	int r;

	*hdr = (struct kp_block_hdr){
		.magic = KP_BLOCK_MAGIC,
		.codec = (kp_u8)enc->codec,
		.stream = stream,
		.salt = w->hdr.salt,
		.sequence = w->block_cnt,
		.first_ns = enc->first_ns,
		.last_ns = enc->last_ns,
		.event_cnt = enc->event_cnt,
		.raw_len = raw_len,
		.stored_len = enc->len,
		.prev = w->prev,
		.payload = kp_seg_hash(enc->data, enc->len),
		.kinds = enc->kinds,
		.tids = enc->tids,
	};
	put_lost(&head, lost);
	if (w->place) {
		w->place->block = w->block_cnt;
		__atomic_store_n(&w->place->segment, w->hdr.sequence, __ATOMIC_RELEASE);
	}
	r = kp_seg_write(w->fd, (struct iovec[]){{&head, hdr->len}, {(void *)enc->data, enc->len}},
			 2, w->offset);
	if (r < 0) {
		/* Were this to fail as well, the next block would overwrite the rest. */
		if (ftruncate(w->fd, (off_t)w->offset) < 0)
			return kp_err_sys(err, r, "cannot write to %s, nor cut the rest off",
					  w->dir);
		return kp_err_sys(err, r, "cannot write to %s", w->dir);
	}
	len = hdr->len + enc->len;
	w->offset += len;
	w->snapshot_len += stream == KP_STREAM_SNAPSHOT ? len : 0;
	w->written += len;
	w->prev = kp_seg_hash(&head, hdr->len);
	w->event_cnt += enc->event_cnt;
	note_block(w, &head);
	return 0;
}

static bool is_full_disk(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* Writes a block; the last words of a run into the reserve, if there is no other room. */
static int append_block(struct kp_log_writer *w, uint32_t stream, const struct kp_encoded *enc,
			uint32_t raw_len, const uint64_t *lost, struct kp_err *err)
{
	int r = write_block(w, stream, enc, raw_len, lost, err);

	if (!is_full_disk(r) || !w->is_ending || w->reserve_fd < 0)
		return r;
	r = begin_segment(w, true, err);
	return r < 0 ? r : write_block(w, stream, enc, raw_len, lost, err);
}

/* Begins a new segment when the open one is full. */
static int roll_over(struct kp_log_writer *w, uint32_t stream, struct kp_err *err)
{
	uint64_t filled = w->offset - w->snapshot_len;
	int r;

	if (!w->is_removed && (stream == KP_STREAM_SNAPSHOT || !filled ||
			       filled + sizeof(w->hdr) + w->hdr.text_len < w->segment_len))
		return 0;
	r = begin_segment(w, false, err);
	if (is_full_disk(r) && w->is_ending)
		r = begin_segment(w, true, err);
	if (r >= 0)
		call_on_segment(w);
	return r;
}

static int encode_and_append(struct kp_log_writer *w, uint32_t stream, const void *events,
			     uint32_t len, const uint64_t *lost, struct kp_err *err)
{
	struct kp_encoded enc;
	int r = kp_encode(w->encoder, events, len, &enc, err);

	return r < 0 ? r : append_block(w, stream, &enc, len, lost, err);
}

int kp_log_append(struct kp_log_writer *w, uint32_t stream, const void *events, uint32_t len,
		  const uint64_t lost[KP_GROUP_CNT], struct kp_err *err)
{
	int r = roll_over(w, stream, err);

	return r < 0 ? r : encode_and_append(w, stream, events, len, lost, err);
}

int kp_log_append_encoded(struct kp_log_writer *w, uint32_t stream,
			  const struct kp_encoded *encoded, uint32_t raw_len,
			  const uint64_t lost[KP_GROUP_CNT], struct kp_err *err)
{
	int r = roll_over(w, stream, err);

	return r < 0 ? r : append_block(w, stream, encoded, raw_len, lost, err);
}

static int append_recovery(struct kp_log_writer *w, const struct kp_recovery *recovery,
			   struct kp_err *err)
{
	static const uint64_t lost[KP_GROUP_CNT];
	union {
		struct kp_ev_recovery event;
		char bytes[sizeof(struct kp_ev_recovery) + KP_ALIGN8(sizeof(recovery->name))];
	} u;
	uint32_t len = (uint32_t)strlen(recovery->name);

	memset(&u, 0, sizeof(u));
	u.event = (struct kp_ev_recovery){
		.hdr = {.time_ns = kp_clock_ns(CLOCK_MONOTONIC),
			.size = KP_ALIGN8((uint32_t)sizeof(u.event) + len),
			.kind = KP_EV_recovery,
			.cpu = KP_CPU_USER,
			.pid = (kp_u32)getpid(),
			.tid = (kp_u32)gettid()},
		.kept_len = recovery->kept_len,
		.cut_len = recovery->cut_len,
		.data_len = len,
	};
	memcpy(u.bytes + sizeof(u.event), recovery->name, len);
	return encode_and_append(w, KP_CPU_USER, &u, u.event.hdr.size, lost, err);
}

/* Copies what options say; they may be gone after kp_log_create. */
static int set_options(struct kp_log_writer *w, const char *dir,
		       const struct kp_log_options *options, struct kp_err *err)
{
	const char *json = options->options_json ? options->options_json : "{}";
	cJSON *parsed = NULL;
	int r = kp_log_json_read(json, strlen(json), &parsed);
	bool is_object = cJSON_IsObject(parsed);

	cJSON_Delete(parsed);
	if (r == -ENOMEM)
		return kp_err_set(err, r, "out of memory");
	if (!is_object)
		return kp_err_set(err, -EINVAL, "options_json is not a JSON object");
	if (!options->node)
		gethostname(w->node, sizeof(w->node) - 1);
	else
		strncpy(w->node, options->node, sizeof(w->node) - 1);
	w->dir = strdup(dir);
	w->options_json = strdup(json);
	if (!w->dir || !w->options_json)
		return kp_err_set(err, -ENOMEM, "out of memory");
	w->segment_len = options->segment_len ? options->segment_len : DEFAULT_SEGMENT_LEN;
	w->on_segment = options->on_segment;
	w->on_segment_arg = options->on_segment_arg;
	w->place = options->place;
	return kp_encoder_new(options->codec, &w->encoder, err);
}

/* Opens and locks the directory and the boot's folder. */
static int open_dirs(struct kp_log_writer *w, struct kp_recovery *ret_recovery, struct kp_err *err)
{
	char name[4096];
	int r = kp_folder_make(AT_FDCWD, w->dir, w->dir, &w->dir_fd, err);

	if (r < 0)
		return r;
	if (flock(w->dir_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return kp_err_set(
				err, -EBUSY,
				"another recorder writes to %s; stop it, or choose another "
				"directory",
				w->dir);
		return kp_err_sys(err, -errno, "cannot lock %s", w->dir);
	}
	r = kp_log_recover(w->dir_fd, ret_recovery, err);
	if (r < 0)
		return kp_err_prefix(err, r, "%s", w->dir);
	w->boot_number = ret_recovery->newest_number;
	if (strcmp(ret_recovery->newest, w->boot_id) != 0 || !w->boot_number)
		w->boot_number++;
	snprintf(name, sizeof(name), "%s/%s", w->dir, w->boot_id);
	return kp_folder_make(w->dir_fd, w->boot_id, name, &w->boot_fd, err);
}

/* Goes on behind the last block of the newest segment, if that is of this run. */
static int resume(struct kp_log_writer *w, uint64_t run, struct kp_err *err)
{
	struct kp_log_tail tail;
	int r = kp_log_read_tail(w->boot_fd, &tail);

	if (r == -ENOENT || r == -EBADMSG || (r >= 0 && tail.run != run))
		return 0;
	if (r < 0)
		return kp_err_sys(err, r, "cannot read the end of %s", w->dir);
	w->run = run;
	w->hdr.sequence = tail.segment;
	w->prev = tail.prev;
	w->block_cnt = tail.block_cnt;
	w->resumed_at = (struct kp_log_place){tail.segment, tail.block_cnt};
	return 0;
}

static void writer_free(struct kp_log_writer *w)
{
	for (unsigned i = 0; i < w->sealed_cnt; i++)
		close(w->sealed[i]);
	if (w->fd >= 0)
		close(w->fd);
	if (w->reserve_fd >= 0)
		close(w->reserve_fd);
	if (w->boot_fd >= 0)
		close(w->boot_fd);
	if (w->dir_fd >= 0)
		close(w->dir_fd);
	pthread_mutex_destroy(&w->mutex);
	kp_encoder_free(w->encoder);
	kp_buf_done(&w->heads);
	free(w->options_json);
	free(w->dir);
	free(w);
}

int kp_log_create(const char *dir, const struct kp_log_options *options,
		  struct kp_log_writer **ret_writer, struct kp_err *err)
{
	struct kp_log_writer *w = calloc(1, sizeof(*w));
	struct kp_recovery recovery = {0};
	int r;

	if (!w)
		return kp_err_set(err, -ENOMEM, "out of memory");
	w->fd = w->dir_fd = w->boot_fd = w->reserve_fd = -1;
	pthread_mutex_init(&w->mutex, NULL);
	r = set_options(w, dir, options, err);
	if (r < 0)
		goto fail;
	if (read_id("/etc/machine-id", w->machine_id, sizeof(w->machine_id)) < 0)
		w->machine_id[0] = '\0'; /* as in most containers */
	r = random_u64(&w->run);
	if (r >= 0)
		r = read_id("/proc/sys/kernel/random/boot_id", w->boot_id, sizeof(w->boot_id));
	if (r < 0) {
		kp_err_sys(err, r, "cannot read the boot's id");
		goto fail;
	}
	r = open_dirs(w, &recovery, err);
	if (r >= 0 && options->resume_run)
		r = resume(w, options->resume_run, err);
	if (r >= 0)
		r = begin_segment(w, false, err);
	if (r >= 0 && recovery.was_torn)
		r = append_recovery(w, &recovery, err);
	if (r < 0)
		goto fail;
	w->reserve_fd = kp_reserve_make(w->boot_fd); /* without one it is as it is */
	call_on_segment(w);
	*ret_writer = w;
	return 0;
fail:
	writer_free(w);
	return r;
}

int kp_log_make_objects(struct kp_log_writer *w, struct kp_objects **ret_objects,
			struct kp_err *err)
{
	return kp_objects_make(w->dir_fd, w->dir, ret_objects, err);
}

int kp_log_make_retainer(struct kp_log_writer *w, const struct kp_retain_options *options,
			 struct kp_retainer **ret_retainer, struct kp_err *err)
{
	int r = kp_retainer_new(w->dir_fd, w->boot_id, options, ret_retainer);

	return r < 0 ? kp_err_sys(err, r, "cannot list %s", w->dir) : 0;
}

uint64_t kp_log_free_len(const struct kp_log_writer *w)
{
	struct statvfs fs;

	return fstatvfs(w->dir_fd, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* What one sync has to reach: the sealed segments, then the open one. */
struct sync {
	int fds[SEALED_MAX + 1];
	unsigned cnt;
	bool is_dir_dirty;
	uint64_t event_cnt; /* appended before it */
	uint64_t segment_from;
};

static int begin_sync(struct kp_log_writer *w, struct sync *ret)
{
	int fd, r = 0;

	pthread_mutex_lock(&w->mutex);
	fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		r = -errno;
	} else {
		ret->cnt = w->sealed_cnt;
		memcpy(ret->fds, w->sealed, sizeof(w->sealed));
		ret->fds[ret->cnt++] = fd;
		ret->is_dir_dirty = w->is_dir_dirty;
		ret->event_cnt = w->event_cnt;
		ret->segment_from = w->segment_from;
		w->sealed_cnt = 0;
		w->is_dir_dirty = false;
	}
	pthread_mutex_unlock(&w->mutex);
	return r;
}

/* After a sync that failed nothing is known of what was written since the one before: the kernel
 * may have dropped it, and would say so only once (fsync(2)). */
static void settle(struct kp_log_writer *w, uint64_t from, uint64_t to, bool is_doubtful)
{
	pthread_mutex_lock(&w->mutex);
	if (from > w->settled_cnt)
		from = w->settled_cnt;
	if (is_doubtful)
		w->doubtful_cnt += to - from;
	if (w->doubtful_cnt > to)
		w->doubtful_cnt = to;
	w->settled_cnt = to;
	pthread_mutex_unlock(&w->mutex);
}

int kp_log_sync(struct kp_log_writer *w, struct kp_err *err)
{
	struct stat st = {.st_nlink = 1};
	struct sync sync = {0};
	int r = begin_sync(w, &sync);

	if (r < 0)
		return kp_err_sys(err, r, "cannot sync %s", w->dir);
	for (unsigned i = 0; i < sync.cnt; i++) {
		if (fdatasync(sync.fds[i]) < 0)
			r = -errno;
		fstat(sync.fds[i], &st); /* the last stays */
		close(sync.fds[i]);
	}
	if (sync.is_dir_dirty && (fsync(w->boot_fd) < 0 || fsync(w->dir_fd) < 0))
		r = -errno;
	settle(w, st.st_nlink ? UINT64_MAX : sync.segment_from, sync.event_cnt,
	       r < 0 || !st.st_nlink);
	if (r < 0)
		return kp_err_sys(err, r, "cannot sync %s", w->dir);
	if (st.st_nlink)
		return 0;
	w->is_removed = true; /* the next append begins another */
	return kp_err_set(err, -ENOENT,
			  "somebody has removed the segment of %s that was being written, and what "
			  "it held",
			  w->dir);
}

uint64_t kp_log_run(const struct kp_log_writer *w)
{
	return w->run;
}

struct kp_log_place kp_log_resumed_at(const struct kp_log_writer *w)
{
	return w->resumed_at;
}

uint64_t kp_log_written(const struct kp_log_writer *w)
{
	return w->written;
}

uint64_t kp_log_doubtful(struct kp_log_writer *w)
{
	uint64_t cnt;

	pthread_mutex_lock(&w->mutex);
	cnt = w->doubtful_cnt;
	pthread_mutex_unlock(&w->mutex);
	return cnt;
}

void kp_log_begin_end(struct kp_log_writer *w)
{
	w->is_ending = true;
}

int kp_log_end(struct kp_log_writer *w, enum kp_end_reason reason, int sig, struct kp_err *err)
{
	int r, synced;

	if (w->has_end)
		return 0;
	w->has_end = true;
	kp_log_begin_end(w);
	r = write_seal(w, reason, sig);
	if (is_full_disk(r) && begin_segment(w, true, err) >= 0)
		r = write_seal(w, reason, sig);
	if (r < 0)
		kp_err_sys(err, r, "cannot write the end of %s", w->dir);
	synced = kp_log_sync(w, r < 0 ? NULL : err);
	return r < 0 ? r : synced;
}

int kp_log_close(struct kp_log_writer *w, struct kp_err *err)
{
	int r;

	if (!w)
		return 0;
	r = kp_log_end(w, KP_END_CLOSED, 0, err);
	writer_free(w);
	return r;
}
