/* SPDX-License-Identifier: MIT
 * The threads that write the blocks and make the snapshots; see pipeline_in.h.
 */
#include "record/pipeline_in.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "event/event.h"
#include "record/priority.h"
#include "record/thread.h"

#define SNAPSHOT_WAIT_NS 2000000000ull /* at the end */

/* --- writing --- */

/* The `lost` events of a block of the recorder's own that could not be written. Under the lock. */
static void keep_all_unsaid(struct kp_pipeline *p, const struct kp_pipeline_block *block)
{
	const struct kp_hdr *event;

	for (uint32_t at = 0; at < block->len; at += event->size) {
		event = (const void *)(block->data + at);
		if (event->kind == KP_EV_lost)
			kp_pipeline_keep_unsaid(p, (const struct kp_ev_lost *)event);
	}
}

/* What a block held. Under the lock. */
static void lose(struct kp_pipeline *p, const struct kp_pipeline_block *block)
{
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		block->stream->failed[g] += block->cnt[g];
		p->disk.lost += block->cnt[g];
	}
	if (block->stream->number == KP_CPU_USER)
		keep_all_unsaid(p, block);
}

/* Appends one block when its turn has come; what cannot be written is lost and said to be. */
static void write_block(struct kp_pipeline *p, struct kp_pipeline_block *block, uint64_t turn,
			struct kp_encoder *encoder)
{
	struct kp_encoded enc;
	struct kp_err err = {""};
	int r = kp_encode(encoder, block->data, block->len, &enc, &err);

	pthread_mutex_lock(&p->lock);
	while (p->written != turn)
		pthread_cond_wait(&p->turn, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (r >= 0)
		r = kp_pipeline_append(p, block, &enc, &err);
	pthread_mutex_lock(&p->lock);
	if (r < 0) {
		lose(p, block);
		kp_pipeline_set_error(p, r, &err);
	}
	p->in_flight_len -= block->room;
	kp_pool_give(&p->pool, block);
	p->written++;
	pthread_cond_broadcast(&p->turn);
	pthread_cond_broadcast(&p->space);
	pthread_mutex_unlock(&p->lock);
}

/* The next block of the queue, in *ret_turn its number; NULL: stopping. */
static struct kp_pipeline_block *next_block(struct kp_pipeline *p, uint64_t *ret_turn)
{
	struct kp_pipeline_block *block;

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
	struct kp_pipeline_block *block;
	uint64_t turn;

	free(arg);
	kp_priority_raise(KP_NICE_SOON);
	while ((block = next_block(self.pipeline, &turn)))
		write_block(self.pipeline, block, turn, self.encoder);
	kp_encoder_free(self.encoder);
	return NULL;
}

/* --- the snapshot that a segment begins with, or has soon after --- */

void kp_pipeline_on_segment(uint64_t segment, void *arg)
{
	struct kp_pipeline *p = arg;

	pthread_mutex_lock(&p->lock);
	p->segment = segment;
	p->is_snapshot_due = true;
	pthread_cond_signal(&p->snapshot_wanted);
	p->disk.is_look_due = true;
	pthread_cond_signal(&p->tick);
	pthread_mutex_unlock(&p->lock);
}

static void snapshot_put(void *arg, const struct kp_hdr *event)
{
	kp_pipeline_put_patiently(arg, kp_pipeline_get_stream(arg, KP_STREAM_SNAPSHOT), event);
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
		kp_sockets_write(&p->sockets, &sink);
		kp_snapshot_write(&sink, &p->snapshot);
		kp_pipeline_seal(p, kp_pipeline_get_stream(p, KP_STREAM_SNAPSHOT));
		pthread_mutex_lock(&p->lock);
		p->is_snapshot_running = false;
		pthread_cond_broadcast(&p->snapshot_made);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void kp_pipeline_end_snapshot(struct kp_pipeline *p)
{
	struct timespec until = kp_cond_until(SNAPSHOT_WAIT_NS);
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

/* --- all of them --- */

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
		r = kp_thread_start(&p->write_threads[p->write_thread_cnt], "kp-write", write_loop,
				    arg);
	if (r >= 0) {
		p->write_thread_cnt++;
		return 0;
	}
	kp_encoder_free(arg->encoder);
	free(arg);
	return r;
}

void kp_pipeline_stop_threads(struct kp_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	pthread_cond_broadcast(&p->space);
	pthread_cond_signal(&p->tick);
	pthread_cond_broadcast(&p->disk.turn);
	pthread_cond_signal(&p->snapshot_wanted);
	pthread_mutex_unlock(&p->lock);
	while (p->write_thread_cnt)
		pthread_join(p->write_threads[--p->write_thread_cnt], NULL);
	if (p->has_disk_thread)
		pthread_join(p->disk_thread, NULL);
	if (p->has_snapshot_thread && !p->is_snapshot_lost)
		pthread_join(p->snapshot_thread, NULL);
}

int kp_pipeline_start_threads(struct kp_pipeline *p)
{
	int r = 0;

	for (int i = 0; i < KP_PIPELINE_WRITERS && r >= 0; i++)
		r = start_writing(p);
	if (r >= 0) {
		r = kp_thread_start(&p->disk_thread, "kp-disk", kp_pipeline_disk_loop, p);
		p->has_disk_thread = r >= 0;
	}
	if (r >= 0) {
		r = kp_thread_start(&p->snapshot_thread, "kp-snapshot", snapshot_loop, p);
		p->has_snapshot_thread = r >= 0;
	}
	if (r < 0)
		kp_pipeline_stop_threads(p);
	return r;
}
