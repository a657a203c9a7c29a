/* SPDX-License-Identifier: MIT
 *
 * Streams and blocks; see pipeline.h, and pipeline_in.h for the locks.
 */
#include "record/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "event/event.h"
#include "record/pipeline_in.h"
#include "record/thread.h"

#define DEFAULT_QUEUE_LEN (256ull << 20)
#define RETRY_NS 10000000ull
#define FAST_PART 4 /* of a block, and of the age at which it is handed on */

/* --- blocks --- */

enum kp_pool_class kp_pipeline_class(const struct kp_pipeline_stream *stream)
{
	return stream->number == KP_CPU_USER                  ? KP_POOL_OWN
	       : KP_STREAM_IS(stream->number, KP_STREAM_LIFE) ? KP_POOL_LIFE
							      : KP_POOL_EVENTS;
}

/* A block for filling with an event of this length, and with as much as the one before held if
 * there is room; NULL: none is free. */
static struct kp_pipeline_block *take_block(struct kp_pipeline *p,
					    const struct kp_pipeline_stream *stream, uint32_t len)
{
	struct kp_pipeline_block *block;

	pthread_mutex_lock(&p->lock);
	block = kp_pool_take(&p->pool, kp_pipeline_class(stream), len, stream->filled);
	pthread_mutex_unlock(&p->lock);
	return block;
}

/* Makes room for an event of this length in the current block; false: it is as large as can be. */
static bool grow_block(struct kp_pipeline *p, struct kp_pipeline_stream *stream, uint32_t len)
{
	struct kp_pipeline_block *block = stream->current;

	while (block && len > block->room - block->len) {
		pthread_mutex_lock(&p->lock);
		block = kp_pool_grow(&p->pool, kp_pipeline_class(stream), block);
		pthread_mutex_unlock(&p->lock);
		if (block)
			stream->current = block;
	}
	return block;
}

/* After a try without success: until a block comes back, or for a moment, since it may have done so
 * just now, or memory had run out. false: it is too late. */
static bool wait_for_room(struct kp_pipeline *p)
{
	struct timespec until = kp_cond_until(RETRY_NS);
	bool stopping;

	pthread_mutex_lock(&p->lock);
	if (!p->stopping)
		pthread_cond_timedwait(&p->space, &p->lock, &until);
	stopping = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return !stopping;
}

void kp_pipeline_seal(struct kp_pipeline *p, struct kp_pipeline_stream *stream)
{
	struct kp_pipeline_block *block = stream->current;

	if (!block)
		return;
	stream->current = NULL;
	stream->filled = block->len;
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
	kp_pool_close(&p->pool, block);
	p->in_flight_len += block->room;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

static struct kp_pipeline_stream **place_of(struct kp_pipeline *p, uint32_t number)
{
	return &p->streams[number == KP_LOST_ANYWHERE ? KP_PIPELINE_STREAMS
						      : number & (KP_PIPELINE_STREAMS - 1)];
}

struct kp_pipeline_stream *kp_pipeline_get_stream(struct kp_pipeline *p, uint32_t number)
{
	struct kp_pipeline_stream **place = place_of(p, number);
	struct kp_pipeline_stream *stream = __atomic_load_n(place, __ATOMIC_ACQUIRE), *made;

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

static void mask(struct kp_pipeline *p, struct kp_hdr *event, enum kp_bytes whose)
{
	if (whose == KP_BYTES_NODE)
		kp_mask_texts(event);
	else if (p->maskers[whose])
		kp_masker_event(p->maskers[whose], event);
}

/* Adds an event; false: there is no room for it now. */
static bool try_put(struct kp_pipeline *p, struct kp_pipeline_stream *stream,
		    const struct kp_hdr *event, enum kp_bytes whose)
{
	struct kp_hdr *copy;

	if (stream->current && !grow_block(p, stream, event->size))
		kp_pipeline_seal(p, stream);
	if (!stream->current) {
		stream->current = take_block(p, stream, event->size);
		if (!stream->current)
			return false;
		stream->current->opened_ns = kp_clock_ns(CLOCK_MONOTONIC);
	}
	copy = (struct kp_hdr *)(stream->current->data + stream->current->len);
	memcpy(copy, event, event->size);
	mask(p, copy, whose);
	stream->current->len += event->size;
	stream->current->cnt[kp_event_get(event->kind)->group]++;
	return true;
}

void kp_pipeline_keep_unsaid(struct kp_pipeline *p, const struct kp_ev_lost *ev)
{
	struct kp_pipeline_stream *stream = kp_pipeline_get_stream(p, ev->lost_stream);

	stream->unsaid.cnt[ev->lost_group] += ev->count;
	if (!stream->unsaid.from_ns || ev->from_ns < stream->unsaid.from_ns)
		stream->unsaid.from_ns = ev->from_ns;
}

static void drop(struct kp_pipeline *p, struct kp_pipeline_stream *stream,
		 const struct kp_hdr *event)
{
	pthread_mutex_lock(&p->lock);
	stream->dropped[kp_event_get(event->kind)->group]++;
	if (event->kind == KP_EV_lost)
		kp_pipeline_keep_unsaid(p, (const struct kp_ev_lost *)event);
	pthread_mutex_unlock(&p->lock);
}

void kp_pipeline_put_patiently(struct kp_pipeline *p, struct kp_pipeline_stream *stream,
			       const struct kp_hdr *event)
{
	while (!try_put(p, stream, event, KP_BYTES_NODE))
		if (!wait_for_room(p)) {
			drop(p, stream, event);
			return;
		}
}

/* --- the interface --- */

static bool try_put_own(struct kp_pipeline *p, struct kp_pipeline_stream *own,
			const struct kp_hdr *event, enum kp_bytes whose)
{
	bool done;

	pthread_mutex_lock(&p->user_lock);
	done = try_put(p, own, event, whose);
	pthread_mutex_unlock(&p->user_lock);
	return done;
}

/* Nobody waits with the stream's lock held. */
static void put_patiently(struct kp_pipeline *p, const struct kp_hdr *event, enum kp_bytes whose)
{
	struct kp_pipeline_stream *own = kp_pipeline_get_stream(p, KP_CPU_USER);

	while (!try_put_own(p, own, event, whose))
		if (!wait_for_room(p)) {
			drop(p, own, event);
			return;
		}
}

static void put_own_patiently(void *arg, const struct kp_hdr *event)
{
	put_patiently(arg, event, KP_BYTES_NODE);
}

static void put_command(void *arg, const struct kp_hdr *event)
{
	put_patiently(arg, event, KP_BYTES_COMMAND);
}

static void put_own_at_once(void *arg, const struct kp_hdr *event)
{
	struct kp_pipeline_stream *own = kp_pipeline_get_stream(arg, KP_CPU_USER);

	if (!try_put_own(arg, own, event, KP_BYTES_NODE))
		drop(arg, own, event);
}

void kp_pipeline_put(struct kp_pipeline *pipeline, uint32_t stream, const struct kp_hdr *event)
{
	struct kp_pipeline_stream *s = kp_pipeline_get_stream(pipeline, stream);

	if (event->kind == KP_EV_socket)
		kp_sockets_put(&pipeline->sockets, (const struct kp_ev_socket *)event);
	if (!try_put(pipeline, s, event,
		     KP_STREAM_IS(stream, KP_STREAM_SELECTED) ? KP_BYTES_CALLS : KP_BYTES_NODE))
		drop(pipeline, s, event);
}

void kp_pipeline_set_lost(struct kp_pipeline *pipeline, uint32_t stream,
			  const uint64_t lost[KP_GROUP_CNT])
{
	memcpy(kp_pipeline_get_stream(pipeline, stream)->probe_lost, lost,
	       KP_GROUP_CNT * sizeof(*lost));
}

/* What fills fast need not wait long for more that is like it. */
static void seal_if_old(struct kp_pipeline *p, struct kp_pipeline_stream *stream, uint64_t now_ns,
			uint64_t max_age_ns)
{
	const struct kp_pipeline_block *block = stream->current;

	if (!block)
		return;
	if (block->len >= KP_BLOCK_RAW_MAX / FAST_PART)
		max_age_ns /= FAST_PART;
	if (block->opened_ns + max_age_ns <= now_ns) /* it may be newer than now_ns */
		kp_pipeline_seal(p, stream);
}

void kp_pipeline_flush(struct kp_pipeline *pipeline, uint64_t max_age_ns)
{
	uint64_t now_ns = kp_clock_ns(CLOCK_MONOTONIC);
	struct kp_pipeline_stream *stream = __atomic_load_n(&pipeline->newest, __ATOMIC_ACQUIRE);

	for (; stream; stream = stream->next) {
		if (stream->number < KP_STREAM_SNAPSHOT) {
			seal_if_old(pipeline, stream, now_ns, max_age_ns);
		} else if (stream->number == KP_CPU_USER) {
			pthread_mutex_lock(&pipeline->user_lock);
			seal_if_old(pipeline, stream, now_ns, max_age_ns);
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

const struct kp_sink *kp_pipeline_command_sink(struct kp_pipeline *pipeline)
{
	return &pipeline->command_sink;
}

int kp_pipeline_make_objects(struct kp_pipeline *pipeline, struct kp_objects **ret_objects,
			     struct kp_err *err)
{
	return kp_log_make_objects(pipeline->writer, ret_objects, err);
}

void kp_pipeline_accounts(struct kp_pipeline *pipeline, uint32_t stream,
			  struct kp_accounts *ret_accounts)
{
	const struct kp_pipeline_stream *s = *place_of(pipeline, stream);

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
	struct kp_pipeline_stream *s = *place_of(pipeline, stream);

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
	/* Nobody is to wait for a disk that is full. */
	load = pipeline->disk.is_short
		       ? 0
		       : (unsigned)(pipeline->in_flight_len * 100 / pipeline->pool.max_len);
	pthread_mutex_unlock(&pipeline->lock);
	return load;
}

size_t kp_pipeline_memory(struct kp_pipeline *pipeline, size_t *ret_max)
{
	size_t len;

	pthread_mutex_lock(&pipeline->lock);
	len = pipeline->pool.made_len;
	*ret_max = kp_pool_max(&pipeline->pool);
	pthread_mutex_unlock(&pipeline->lock);
	return len;
}

uint64_t kp_pipeline_segment(struct kp_pipeline *pipeline)
{
	uint64_t segment;

	pthread_mutex_lock(&pipeline->lock);
	segment = pipeline->segment;
	pthread_mutex_unlock(&pipeline->lock);
	return segment;
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
	pipeline->is_draining = true;
	pthread_cond_broadcast(&pipeline->disk.turn);
	while (pipeline->written != pipeline->queued)
		pthread_cond_wait(&pipeline->space, &pipeline->lock);
	pipeline->is_draining = false;
	pthread_mutex_unlock(&pipeline->lock);
}

uint64_t kp_pipeline_run(const struct kp_pipeline *pipeline)
{
	return kp_log_run(pipeline->writer);
}

struct kp_log_place kp_pipeline_resumed_at(const struct kp_pipeline *pipeline)
{
	return kp_log_resumed_at(pipeline->writer);
}

uint64_t kp_pipeline_written(struct kp_pipeline *pipeline)
{
	return kp_log_written(pipeline->writer);
}

void kp_pipeline_set_error(struct kp_pipeline *p, int error, const struct kp_err *text)
{
	p->error = error;
	p->error_text = *text;
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
	kp_pool_done(&p->pool);
	for (struct kp_pipeline_stream *stream = p->newest, *next; stream; stream = next) {
		next = stream->next;
		free(stream);
	}
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->space);
	pthread_cond_destroy(&p->disk.turn);
	pthread_cond_destroy(&p->tick);
	pthread_cond_destroy(&p->turn);
	pthread_cond_destroy(&p->snapshot_wanted);
	pthread_cond_destroy(&p->snapshot_made);
	kp_sockets_done(&p->sockets);
	for (int i = 0; i < KP_BYTES_CNT; i++)
		kp_masker_free(p->maskers[i]);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->user_lock);
	free(p);
}

static void init_sync(struct kp_pipeline *p)
{
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->user_lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->turn, NULL);
	kp_cond_init_timed(&p->space);
	kp_cond_init_timed(&p->disk.turn);
	kp_cond_init_timed(&p->tick);
	pthread_cond_init(&p->snapshot_wanted, NULL);
	kp_cond_init_timed(&p->snapshot_made);
}

/* On a disk that is full already, what the log need not keep makes room. */
static int make_log(struct kp_pipeline *p, const struct kp_pipeline_options *options,
		    const struct kp_log_options *log, struct kp_err *err)
{
	struct kp_err ignored;
	int r;

	do
		r = kp_log_create(options->dir, log, &p->writer, err);
	while ((r == -ENOSPC || r == -EDQUOT) && kp_retain_is_wanted(&options->retain) &&
	       kp_retain_oldest(options->dir, &options->retain, &ignored) > 0);
	return r;
}

static int create_log(struct kp_pipeline *p, const struct kp_pipeline_options *options,
		      struct kp_err *err)
{
	struct kp_log_options log = options->log;
	struct kp_log_place last = {0}, end;
	int r;

	log.on_segment = kp_pipeline_on_segment;
	log.on_segment_arg = p;
	log.place = kp_ledger_place(&p->ledger);
	if (log.place)
		last = *log.place;
	r = make_log(p, options, &log, err);
	if (r < 0 || !log.resume_run)
		return r;
	end = kp_log_resumed_at(p->writer);
	*log.place = last; /* a word about the recovery has been written */
	kp_ledger_settle_write(&p->ledger, &end);
	return 0;
}

static int make_maskers(struct kp_pipeline *p)
{
	p->maskers[KP_BYTES_CALLS] = kp_masker_new();
	p->maskers[KP_BYTES_COMMAND] = kp_masker_new();
	return p->maskers[KP_BYTES_CALLS] && p->maskers[KP_BYTES_COMMAND] ? 0 : -ENOMEM;
}

int kp_pipeline_start(const struct kp_pipeline_options *options, struct kp_pipeline **ret_pipeline,
		      struct kp_err *err)
{
	struct kp_pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	init_sync(p);
	p->sink = (struct kp_sink){put_own_patiently, p};
	p->drain_sink = (struct kp_sink){put_own_at_once, p};
	p->command_sink = (struct kp_sink){put_command, p};
	p->sync_ns = options->sync_ns;
	p->codec = options->log.codec;
	if (options->ledger)
		p->ledger = *options->ledger;
	kp_pool_init(&p->pool, options->queue_len ? options->queue_len : DEFAULT_QUEUE_LEN);
	r = kp_sockets_init(&p->sockets);
	if (r >= 0 && options->is_masked)
		r = make_maskers(p);
	if (r >= 0)
		r = create_log(p, options, err);
	else
		kp_err_sys(err, r, "cannot start the recorder");
	if (r >= 0)
		r = kp_pipeline_init_disk(p, options, err);
	if (r >= 0) {
		r = kp_pipeline_start_threads(p);
		if (r < 0)
			kp_err_sys(err, r,
				   "cannot start the recorder's threads (is a limit of processes "
				   "reached, ulimit -u or pids.max?)");
	}
	if (r < 0) {
		kp_pipeline_done_disk(p);
		kp_log_close(p->writer, NULL);
		free_pipeline(p);
		return r;
	}
	*ret_pipeline = p;
	return 0;
}

void kp_pipeline_keep(struct kp_pipeline *pipeline)
{
	pipeline->is_kept = true;
}

void kp_pipeline_begin_end(struct kp_pipeline *pipeline)
{
	kp_pipeline_end_snapshot(pipeline);
	kp_pipeline_drain(pipeline);
	kp_pipeline_end_retention(pipeline);
	kp_pipeline_drain(pipeline);
	kp_log_begin_end(pipeline->writer);
}

int kp_pipeline_stop(struct kp_pipeline *pipeline, struct kp_pipeline_end *end, struct kp_err *err)
{
	int r;

	if (!pipeline)
		return 0;
	kp_pipeline_end_snapshot(pipeline);
	kp_pipeline_end_retention(pipeline);
	kp_pipeline_flush(pipeline, 0);
	kp_pipeline_stop_threads(pipeline);
	r = kp_log_end(pipeline->writer, end->reason, end->sig, err);
	end->doubtful_cnt = kp_log_doubtful(pipeline->writer);
	end->log_len = kp_log_written(pipeline->writer);
	kp_pipeline_done_disk(pipeline);
	kp_log_close(pipeline->writer, NULL);
	if (!pipeline->is_kept)
		free_pipeline(pipeline);
	return r;
}
