/* SPDX-License-Identifier: MIT
 *
 * Streams, blocks, and the threads behind them; see pipeline.h.
 *
 * Locks: `user_lock` over the sink's stream; `lock` over the queue, the free list, the accounts
 * that both sides change, the snapshot that is wanted, and the last error. A stream's current block
 * belongs to its filling side alone: the thread that drains the rings, the archive's or the
 * snapshot's. The writing threads encode side by side and append in the order of the queue.
 *
 * Archived files, which are many bytes that nobody waits for, have blocks of their own and are
 * encoded by the thread that copies them: neither their blocks nor the time it takes to encode them
 * are taken from the events.
 */
#include "record/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "event/event.h"
#include "record/snapshot.h"

#define DEFAULT_QUEUE_LEN (256ull << 20)
#define STREAM_CNT 0x10000
#define LIFE_BLOCKS 16 /* some 50,000 processes */
#define OWN_BLOCKS 4   /* what the recorder itself has to say of a full queue */
#define ARCHIVE_BLOCKS 32
#define WRITE_THREADS 2
#define SNAPSHOT_WAIT_NS 2000000000ull /* at the end */

struct stream;

struct block {
	struct block *next;
	struct stream *stream;
	uint64_t opened_ns;
	uint32_t len;
	uint32_t cnt[KP_GROUP_CNT];
	uint64_t lost[KP_GROUP_CNT]; /* of the stream when the block was sealed */
	struct kp_encoded encoded;   /* its data in `data`, if that is set */
	_Alignas(8) unsigned char data[KP_BLOCK_RAW_MAX];
};

struct stream {
	struct stream *next; /* made before it */
	uint32_t number;
	struct block *current;
	uint64_t probe_lost[KP_GROUP_CNT];
	uint64_t put[KP_GROUP_CNT];     /* in sealed blocks */
	uint64_t dropped[KP_GROUP_CNT]; /* no block could be had */
	uint64_t failed[KP_GROUP_CNT];  /* in blocks that could not be written */
	struct kp_unsaid unsaid;
};

struct kp_pipeline {
	struct kp_log_writer *writer;
	struct kp_sink sink, drain_sink, archive_sink;
	struct kp_encoder *archive_encoder;
	enum kp_codec codec;
	struct stream *newest;
	struct stream *streams[STREAM_CNT + 1]; /* the last: KP_LOST_ANYWHERE, for what is unsaid */
	uint64_t sync_ns;
	size_t block_max;

	pthread_mutex_t user_lock;
	pthread_mutex_t lock;
	pthread_cond_t work;  /* the queue has a block, or stopping */
	pthread_cond_t space; /* a block came back, or the queue ran empty */
	struct block *head, *tail, *free_list;
	size_t used_cnt;    /* blocks that are not free, but for … */
	size_t archive_cnt; /* … those of the archive */
	size_t in_flight;   /* queued or being written, but for the archive's */
	uint64_t queued;    /* blocks ever queued … */
	uint64_t taken;     /* … of them, those taken from the queue … */
	uint64_t written;   /* … and of them, those written */
	pthread_cond_t turn;
	bool stopping;
	int error;
	struct kp_err error_text;

	pthread_cond_t tick; /* stopping, for the syncing thread */
	pthread_t write_threads[WRITE_THREADS], sync_thread, snapshot_thread;
	unsigned write_thread_cnt;
	bool has_sync_thread, has_snapshot_thread;

	pthread_cond_t snapshot_wanted, snapshot_made;
	uint64_t segment; /* the newest */
	bool is_snapshot_due;
	bool is_snapshot_running;
	struct kp_snapshot snapshot;
	bool is_snapshot_lost; /* it was given up; its thread may come back */
	bool is_kept;          /* somebody may still come back: never freed */
};

/* --- blocks --- */

static bool is_archive(const struct stream *stream)
{
	return stream->number == KP_STREAM_ARCHIVE;
}

/* How many blocks of the stream's class are used, and may be. The life of processes, without which
 * all else has no names, may use some more than the others, and so may the recorder's own words. */
static size_t *class_of(struct kp_pipeline *p, const struct stream *stream, size_t *ret_max)
{
	size_t more = KP_STREAM_IS(stream->number, KP_STREAM_LIFE) ? LIFE_BLOCKS
		      : stream->number == KP_CPU_USER              ? LIFE_BLOCKS + OWN_BLOCKS
								   : 0;

	*ret_max = is_archive(stream) ? ARCHIVE_BLOCKS : p->block_max + more;
	return is_archive(stream) ? &p->archive_cnt : &p->used_cnt;
}

/* A free block, or a new one while the class has room; NULL: none. Under the lock. */
static struct block *get_block(struct kp_pipeline *p, const struct stream *stream)
{
	struct block *block = p->free_list;
	size_t max, *used = class_of(p, stream, &max);

	if (*used >= max)
		return NULL;
	if (block)
		p->free_list = block->next;
	else
		block = malloc(sizeof(*block));
	if (block)
		++*used;
	return block;
}

/* A block for filling, or NULL: none is free. */
static struct block *take_block(struct kp_pipeline *p, const struct stream *stream)
{
	struct block *block;

	pthread_mutex_lock(&p->lock);
	block = get_block(p, stream);
	pthread_mutex_unlock(&p->lock);
	if (block) {
		block->next = NULL;
		block->len = 0;
		block->encoded.data = NULL;
		memset(block->cnt, 0, sizeof(block->cnt));
	}
	return block;
}

/* Waits until the stream's class may have a block more; false: it is too late for one. */
static bool wait_for_room(struct kp_pipeline *p, const struct stream *stream)
{
	size_t max, *used;
	bool has_room;

	pthread_mutex_lock(&p->lock);
	used = class_of(p, stream, &max);
	while (*used >= max && !p->stopping)
		pthread_cond_wait(&p->space, &p->lock);
	has_room = *used < max;
	pthread_mutex_unlock(&p->lock);
	return has_room;
}

/* Hands the current block of a stream to the writing thread. */
static void seal(struct kp_pipeline *p, struct stream *stream)
{
	struct block *block = stream->current;

	if (!block)
		return;
	stream->current = NULL;
	block->stream = stream;
	pthread_mutex_lock(&p->lock);
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		block->lost[g] = stream->probe_lost[g] + stream->dropped[g] + stream->failed[g];
		stream->put[g] += block->cnt[g];
	}
	if (p->tail)
		p->tail->next = block;
	else
		p->head = block;
	p->tail = block;
	p->queued++;
	p->in_flight += !is_archive(stream);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

static struct stream **place_of(struct kp_pipeline *p, uint32_t number)
{
	return &p->streams[number == KP_LOST_ANYWHERE ? STREAM_CNT : number & (STREAM_CNT - 1)];
}

/* The stream of a number, made when it is first asked for, by whichever thread. */
static struct stream *get_stream(struct kp_pipeline *p, uint32_t number)
{
	struct stream **place = place_of(p, number);
	struct stream *stream = __atomic_load_n(place, __ATOMIC_ACQUIRE), *made;

	if (stream)
		return stream;
	made = calloc(1, sizeof(*made));
	if (!made)
		abort(); /* a handful of allocations in the recorder's first moments */
	made->number = number;
	if (!__atomic_compare_exchange_n(place, &stream, made, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		free(made);
		return stream;
	}
	made->next = __atomic_load_n(&p->newest, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&p->newest, &made->next, made, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	return made;
}

/* Adds an event; false: there is no room for it now. */
static bool try_put(struct kp_pipeline *p, struct stream *stream, const struct kp_hdr *event)
{
	if (stream->current && event->size > KP_BLOCK_RAW_MAX - stream->current->len)
		seal(p, stream);
	if (!stream->current) {
		stream->current = take_block(p, stream);
		if (!stream->current)
			return false;
		stream->current->opened_ns = kp_clock_ns(CLOCK_MONOTONIC);
	}
	memcpy(stream->current->data + stream->current->len, event, event->size);
	stream->current->len += event->size;
	stream->current->cnt[kp_event_get(event->kind)->group]++;
	return true;
}

/* What a `lost` event told, which is lost itself, is to be told again. Under the lock. */
static void keep_unsaid(struct kp_pipeline *p, const struct kp_ev_lost *ev)
{
	struct stream *stream = get_stream(p, ev->lost_stream);

	stream->unsaid.cnt[ev->lost_group] += ev->count;
	if (!stream->unsaid.from_ns || ev->from_ns < stream->unsaid.from_ns)
		stream->unsaid.from_ns = ev->from_ns;
}

static void drop(struct kp_pipeline *p, struct stream *stream, const struct kp_hdr *event)
{
	pthread_mutex_lock(&p->lock);
	stream->dropped[kp_event_get(event->kind)->group]++;
	if (event->kind == KP_EV_lost)
		keep_unsaid(p, (const struct kp_ev_lost *)event);
	pthread_mutex_unlock(&p->lock);
}

/* For a stream that one thread fills, which has the time to wait. */
static void put_patiently(struct kp_pipeline *p, struct stream *stream, const struct kp_hdr *event)
{
	while (!try_put(p, stream, event))
		if (!wait_for_room(p, stream)) {
			drop(p, stream, event);
			return;
		}
}

/* --- writing --- */

static void set_error(struct kp_pipeline *p, int error, const struct kp_err *text)
{
	p->error = error;
	p->error_text = *text;
}

/* The `lost` events of a block of the recorder's own that could not be written. Under the lock. */
static void keep_all_unsaid(struct kp_pipeline *p, const struct block *block)
{
	const struct kp_hdr *event;

	for (uint32_t at = 0; at < block->len; at += event->size) {
		event = (const void *)(block->data + at);
		if (event->kind == KP_EV_lost)
			keep_unsaid(p, (const struct kp_ev_lost *)event);
	}
}

/* Appends one block when its turn has come; what cannot be written is lost and said to be. */
static void write_block(struct kp_pipeline *p, struct block *block, uint64_t turn,
			struct kp_encoder *encoder)
{
	struct kp_encoded enc = block->encoded;
	struct kp_err err = {""};
	size_t max;
	int r = enc.data ? 0 : kp_encode(encoder, block->data, block->len, &enc, &err);

	pthread_mutex_lock(&p->lock);
	while (p->written != turn)
		pthread_cond_wait(&p->turn, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (r >= 0)
		r = kp_log_append_encoded(p->writer, block->stream->number, &enc, block->len,
					  block->lost, &err);
	pthread_mutex_lock(&p->lock);
	if (r < 0) {
		for (int g = 0; g < KP_GROUP_CNT; g++)
			block->stream->failed[g] += block->cnt[g];
		if (block->stream->number == KP_CPU_USER)
			keep_all_unsaid(p, block);
		set_error(p, r, &err);
	}
	block->next = p->free_list;
	p->free_list = block;
	--*class_of(p, block->stream, &max);
	p->in_flight -= !is_archive(block->stream);
	p->written++;
	pthread_cond_broadcast(&p->turn);
	pthread_cond_broadcast(&p->space);
	pthread_mutex_unlock(&p->lock);
}

/* The next block of the queue, in *ret_turn its number; NULL: stopping. */
static struct block *next_block(struct kp_pipeline *p, uint64_t *ret_turn)
{
	struct block *block;

	pthread_mutex_lock(&p->lock);
	while (!p->head && !p->stopping)
		pthread_cond_wait(&p->work, &p->lock);
	block = p->head;
	if (block) {
		p->head = block->next;
		if (!p->head)
			p->tail = NULL;
		*ret_turn = p->taken++;
	}
	pthread_mutex_unlock(&p->lock);
	return block;
}

struct write_arg {
	struct kp_pipeline *pipeline;
	struct kp_encoder *encoder;
};

static void *write_loop(void *arg)
{
	struct write_arg self = *(struct write_arg *)arg;
	struct block *block;
	uint64_t turn;

	free(arg);
	while ((block = next_block(self.pipeline, &turn)))
		write_block(self.pipeline, block, turn, self.encoder);
	kp_encoder_free(self.encoder);
	return NULL;
}

/* A moment on CLOCK_MONOTONIC, which the conditions with a time wait by. */
static struct timespec from_now(uint64_t ns)
{
	uint64_t at = kp_clock_ns(CLOCK_MONOTONIC) + ns;

	return (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
}

static void *sync_loop(void *arg)
{
	struct kp_pipeline *p = arg;
	struct timespec until;
	struct kp_err err = {""};
	int r;

	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		until = from_now(p->sync_ns);
		pthread_cond_timedwait(&p->tick, &p->lock, &until);
		if (p->stopping)
			break;
		pthread_mutex_unlock(&p->lock);
		r = kp_log_sync(p->writer, &err);
		pthread_mutex_lock(&p->lock);
		if (r < 0)
			set_error(p, r, &err);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- the snapshot that a segment begins with, or has soon after --- */

/* In kp_log_append or kp_log_create: only asks for it, since it may take any time. */
static void on_segment(uint64_t segment, void *arg)
{
	struct kp_pipeline *p = arg;

	pthread_mutex_lock(&p->lock);
	p->segment = segment;
	p->is_snapshot_due = true;
	pthread_cond_signal(&p->snapshot_wanted);
	pthread_mutex_unlock(&p->lock);
}

static void snapshot_put(void *arg, const struct kp_hdr *event)
{
	put_patiently(arg, get_stream(arg, KP_STREAM_SNAPSHOT), event);
}

static void *snapshot_loop(void *arg)
{
	struct kp_pipeline *p = arg;
	const struct kp_sink sink = {snapshot_put, p};

	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		if (!p->is_snapshot_due) {
			pthread_cond_wait(&p->snapshot_wanted, &p->lock);
			continue;
		}
		p->is_snapshot_due = false;
		p->is_snapshot_running = true;
		p->snapshot = (struct kp_snapshot){.segment = p->segment,
						   .begun_ns = kp_clock_ns(CLOCK_MONOTONIC)};
		pthread_mutex_unlock(&p->lock);
		kp_snapshot_write(&sink, &p->snapshot);
		seal(p, get_stream(p, KP_STREAM_SNAPSHOT));
		pthread_mutex_lock(&p->lock);
		p->is_snapshot_running = false;
		pthread_cond_broadcast(&p->snapshot_made);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* The snapshot, which is given up if it does not come. */
static void end_snapshot(struct kp_pipeline *p)
{
	struct timespec until = from_now(SNAPSHOT_WAIT_NS);
	int r = 0;

	if (p->is_snapshot_lost)
		return;
	pthread_mutex_lock(&p->lock);
	while ((p->is_snapshot_due || p->is_snapshot_running) && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&p->snapshot_made, &p->lock, &until);
	p->is_snapshot_lost = p->is_snapshot_running;
	pthread_mutex_unlock(&p->lock);
	if (!p->is_snapshot_lost)
		return;
	kp_pipeline_keep(p);
	kp_snapshot_give_up(&p->sink, &p->snapshot);
}

/* --- the interface --- */

static bool try_put_own(struct kp_pipeline *p, struct stream *own, const struct kp_hdr *event)
{
	bool done;

	pthread_mutex_lock(&p->user_lock);
	done = try_put(p, own, event);
	pthread_mutex_unlock(&p->user_lock);
	return done;
}

/* Nobody waits with the stream's lock held. */
static void put_own_patiently(void *arg, const struct kp_hdr *event)
{
	struct stream *own = get_stream(arg, KP_CPU_USER);

	while (!try_put_own(arg, own, event))
		if (!wait_for_room(arg, own)) {
			drop(arg, own, event);
			return;
		}
}

static void put_own_at_once(void *arg, const struct kp_hdr *event)
{
	struct stream *own = get_stream(arg, KP_CPU_USER);

	if (!try_put_own(arg, own, event))
		drop(arg, own, event);
}

/* Encodes the current block of the archive in the thread that fills it. */
static void seal_archive(struct kp_pipeline *p, struct stream *stream)
{
	struct block *block = stream->current;
	struct kp_encoded enc;

	if (kp_encode(p->archive_encoder, block->data, block->len, &enc, NULL) >= 0 &&
	    enc.len <= sizeof(block->data)) {
		if (enc.data != block->data)
			memcpy(block->data, enc.data, enc.len);
		block->encoded = enc;
		block->encoded.data = block->data;
	}
	seal(p, stream);
}

/* The archive's thread alone calls this. A file's end ends its block: nobody flushes this stream.
 */
static void archive_put(void *arg, const struct kp_hdr *event)
{
	struct kp_pipeline *p = arg;
	struct stream *stream = get_stream(p, KP_STREAM_ARCHIVE);

	if (stream->current && event->size > KP_BLOCK_RAW_MAX - stream->current->len)
		seal_archive(p, stream);
	put_patiently(p, stream, event);
	if (event->kind == KP_EV_file_end)
		seal_archive(p, stream);
}

void kp_pipeline_put(struct kp_pipeline *pipeline, uint32_t stream, const struct kp_hdr *event)
{
	struct stream *s = get_stream(pipeline, stream);

	if (!try_put(pipeline, s, event))
		drop(pipeline, s, event);
}

void kp_pipeline_set_lost(struct kp_pipeline *pipeline, uint32_t stream,
			  const uint64_t lost[KP_GROUP_CNT])
{
	memcpy(get_stream(pipeline, stream)->probe_lost, lost, KP_GROUP_CNT * sizeof(*lost));
}

static void seal_if_old(struct kp_pipeline *p, struct stream *stream, uint64_t before_ns)
{
	if (stream->current && stream->current->opened_ns <= before_ns)
		seal(p, stream);
}

void kp_pipeline_flush(struct kp_pipeline *pipeline, uint64_t max_age_ns)
{
	uint64_t before_ns = kp_clock_ns(CLOCK_MONOTONIC) - max_age_ns;
	struct stream *stream = __atomic_load_n(&pipeline->newest, __ATOMIC_ACQUIRE);

	for (; stream; stream = stream->next) {
		if (stream->number < KP_STREAM_ARCHIVE) {
			seal_if_old(pipeline, stream, before_ns);
		} else if (stream->number == KP_CPU_USER) {
			pthread_mutex_lock(&pipeline->user_lock);
			seal_if_old(pipeline, stream, before_ns);
			pthread_mutex_unlock(&pipeline->user_lock);
		}
	}
}

const struct kp_sink *kp_pipeline_sink(struct kp_pipeline *pipeline)
{
	return &pipeline->sink;
}

const struct kp_sink *kp_pipeline_drain_sink(struct kp_pipeline *pipeline)
{
	return &pipeline->drain_sink;
}

const struct kp_sink *kp_pipeline_archive_sink(struct kp_pipeline *pipeline)
{
	return &pipeline->archive_sink;
}

void kp_pipeline_accounts(struct kp_pipeline *pipeline, uint32_t stream,
			  struct kp_accounts *ret_accounts)
{
	const struct stream *s = *place_of(pipeline, stream);

	memset(ret_accounts, 0, sizeof(*ret_accounts));
	if (!s)
		return;
	pthread_mutex_lock(&pipeline->lock);
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		ret_accounts->stored[g] = s->put[g] - s->failed[g];
		ret_accounts->dropped[g] = s->dropped[g] + s->failed[g];
	}
	pthread_mutex_unlock(&pipeline->lock);
}

void kp_pipeline_take_unsaid(struct kp_pipeline *pipeline, uint32_t stream,
			     struct kp_unsaid *ret_unsaid)
{
	struct stream *s = *place_of(pipeline, stream);

	memset(ret_unsaid, 0, sizeof(*ret_unsaid));
	if (!s)
		return;
	pthread_mutex_lock(&pipeline->lock);
	*ret_unsaid = s->unsaid;
	memset(&s->unsaid, 0, sizeof(s->unsaid));
	pthread_mutex_unlock(&pipeline->lock);
}

unsigned kp_pipeline_load(struct kp_pipeline *pipeline)
{
	unsigned load;

	pthread_mutex_lock(&pipeline->lock);
	load = (unsigned)(pipeline->in_flight * 100 / pipeline->block_max);
	pthread_mutex_unlock(&pipeline->lock);
	return load;
}

bool kp_pipeline_snapshot_hangs(struct kp_pipeline *pipeline, uint64_t after_ns, uint32_t *ret_pid)
{
	bool hangs;

	pthread_mutex_lock(&pipeline->lock);
	hangs = pipeline->is_snapshot_running &&
		kp_clock_ns(CLOCK_MONOTONIC) - pipeline->snapshot.begun_ns > after_ns;
	*ret_pid = pipeline->snapshot.at_pid;
	pthread_mutex_unlock(&pipeline->lock);
	return hangs;
}

void kp_pipeline_drain(struct kp_pipeline *pipeline)
{
	kp_pipeline_flush(pipeline, 0);
	pthread_mutex_lock(&pipeline->lock);
	while (pipeline->written != pipeline->queued)
		pthread_cond_wait(&pipeline->space, &pipeline->lock);
	pthread_mutex_unlock(&pipeline->lock);
}

uint64_t kp_pipeline_written(struct kp_pipeline *pipeline)
{
	return kp_log_written(pipeline->writer);
}

int kp_pipeline_error(struct kp_pipeline *pipeline, struct kp_err *ret_err)
{
	int error;

	pthread_mutex_lock(&pipeline->lock);
	error = pipeline->error;
	*ret_err = pipeline->error_text;
	pipeline->error = 0;
	pthread_mutex_unlock(&pipeline->lock);
	return error;
}

static void free_pipeline(struct kp_pipeline *p)
{
	for (struct block *block = p->free_list, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	for (struct stream *stream = p->newest, *next; stream; stream = next) {
		next = stream->next;
		free(stream);
	}
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->space);
	pthread_cond_destroy(&p->tick);
	pthread_cond_destroy(&p->turn);
	pthread_cond_destroy(&p->snapshot_wanted);
	pthread_cond_destroy(&p->snapshot_made);
	kp_encoder_free(p->archive_encoder);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->user_lock);
	free(p);
}

static void init_sync(struct kp_pipeline *p)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->user_lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->space, NULL);
	pthread_cond_init(&p->turn, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->tick, &monotonic);
	pthread_cond_init(&p->snapshot_wanted, NULL);
	pthread_cond_init(&p->snapshot_made, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static int start_writing(struct kp_pipeline *p)
{
	struct write_arg *arg = calloc(1, sizeof(*arg));
	struct kp_err err;
	int r = -ENOMEM;

	if (!arg)
		return r;
	arg->pipeline = p;
	r = kp_encoder_new(p->codec, &arg->encoder, &err);
	if (r >= 0)
		r = -pthread_create(&p->write_threads[p->write_thread_cnt], NULL, write_loop, arg);
	if (r >= 0) {
		p->write_thread_cnt++;
		return 0;
	}
	kp_encoder_free(arg->encoder);
	free(arg);
	return r;
}

static void stop_threads(struct kp_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	pthread_cond_broadcast(&p->space);
	pthread_cond_signal(&p->tick);
	pthread_cond_signal(&p->snapshot_wanted);
	pthread_mutex_unlock(&p->lock);
	while (p->write_thread_cnt)
		pthread_join(p->write_threads[--p->write_thread_cnt], NULL);
	if (p->has_sync_thread)
		pthread_join(p->sync_thread, NULL);
	if (p->has_snapshot_thread && !p->is_snapshot_lost)
		pthread_join(p->snapshot_thread, NULL);
}

static int start_threads(struct kp_pipeline *p)
{
	int r = 0;

	for (int i = 0; i < WRITE_THREADS && r >= 0; i++)
		r = start_writing(p);
	if (r >= 0 && p->sync_ns) {
		r = -pthread_create(&p->sync_thread, NULL, sync_loop, p);
		p->has_sync_thread = r >= 0;
	}
	if (r >= 0) {
		r = -pthread_create(&p->snapshot_thread, NULL, snapshot_loop, p);
		p->has_snapshot_thread = r >= 0;
	}
	if (r < 0)
		stop_threads(p);
	return r;
}

int kp_pipeline_start(const struct kp_pipeline_options *options, struct kp_pipeline **ret_pipeline,
		      struct kp_err *err)
{
	struct kp_log_options log = options->log;
	struct kp_pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	init_sync(p);
	p->sink = (struct kp_sink){put_own_patiently, p};
	p->drain_sink = (struct kp_sink){put_own_at_once, p};
	p->archive_sink = (struct kp_sink){archive_put, p};
	p->sync_ns = options->sync_ns;
	p->codec = log.codec;
	p->block_max =
		(options->queue_len ? options->queue_len : DEFAULT_QUEUE_LEN) / KP_BLOCK_RAW_MAX;
	log.on_segment = on_segment;
	log.on_segment_arg = p;
	r = kp_encoder_new(p->codec, &p->archive_encoder, err);
	if (r >= 0)
		r = kp_log_create(options->dir, &log, &p->writer, err);
	if (r >= 0) {
		r = start_threads(p);
		if (r < 0) {
			kp_log_close(p->writer, NULL);
			kp_err_sys(err, r,
				   "cannot start the recorder's threads (is a limit of processes "
				   "reached, ulimit -u or pids.max?)");
		}
	}
	if (r < 0)
		free_pipeline(p);
	else
		*ret_pipeline = p;
	return r;
}

void kp_pipeline_keep(struct kp_pipeline *pipeline)
{
	pipeline->is_kept = true;
}

void kp_pipeline_begin_end(struct kp_pipeline *pipeline)
{
	end_snapshot(pipeline);
	kp_pipeline_drain(pipeline);
	kp_log_begin_end(pipeline->writer);
}

int kp_pipeline_stop(struct kp_pipeline *pipeline, struct kp_pipeline_end *end, struct kp_err *err)
{
	int r;

	if (!pipeline)
		return 0;
	end_snapshot(pipeline);
	kp_pipeline_flush(pipeline, 0);
	stop_threads(pipeline);
	r = kp_log_end(pipeline->writer, end->reason, end->sig, err);
	end->doubtful_cnt = kp_log_doubtful(pipeline->writer);
	end->log_len = kp_log_written(pipeline->writer);
	kp_log_close(pipeline->writer, NULL);
	if (!pipeline->is_kept)
		free_pipeline(pipeline);
	return r;
}
