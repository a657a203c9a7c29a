/* SPDX-License-Identifier: MIT
 *
 * The log's disk: bringing what is written to it, keeping the log within its limits, and what
 * happens when it takes no more; see pipeline_in.h.
 *
 * A block that cannot be written waits at the head of the queue: first for retention to make room,
 * then, when there is nothing to remove, for the disk to have some again, which is tried at each
 * turn of this file's thread. Meanwhile the queue fills, up to a part of its memory; from then on
 * the oldest block is lost for each new one.
 */
#include <errno.h>

#include "base/clock.h"
#include "log/segment.h"
#include "record/pipeline_in.h"
#include "record/priority.h"
#include "record/thread.h"

#define TURN_NS 1000000000ull
#define WAIT_NS 20000000ull        /* at which a block that waits sees that memory runs out */
#define ROOM_WAIT_NS 2000000000ull /* for a look; removing takes no longer, but syncing may */
#define HELD_PART 2                /* of the queue's memory, for what waits for the disk */

static bool is_disk_fault(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EIO;
}

/* --- who writes --- */

/* Under the lock. */
static void set_short(struct kp_pipeline *p, int error, const struct kp_err *why)
{
	if (!p->disk.is_short)
		p->disk.since_ns = kp_clock_ns(CLOCK_MONOTONIC);
	p->disk.is_short = true;
	p->disk.error = error;
	p->disk.why = *why;
}

/* Waits until a block may be tried; false: it is to be lost. */
static bool wait_for_disk(struct kp_pipeline *p, const struct kp_pipeline_block *block)
{
	struct kp_pipeline_disk *disk = &p->disk;
	bool may_try = true, is_ending;
	struct timespec until;

	pthread_mutex_lock(&p->lock);
	while (disk->is_short) {
		is_ending = p->is_draining || p->stopping;
		may_try = disk->is_try_due || (is_ending && (!disk->is_below_floor ||
							     block->stream->number == KP_CPU_USER));
		disk->is_try_due = false;
		if (may_try || is_ending || p->in_flight_len > p->pool.max_len / HELD_PART)
			break;
		until = kp_cond_until(WAIT_NS);
		pthread_cond_timedwait(&disk->turn, &p->lock, &until);
	}
	pthread_mutex_unlock(&p->lock);
	return may_try;
}

/* Has the oldest segment removed, and waits for that; false: none was. */
static bool get_room(struct kp_pipeline *p)
{
	struct kp_pipeline_disk *disk = &p->disk;
	struct timespec until = kp_cond_until(ROOM_WAIT_NS);
	uint64_t before_cnt, look_cnt;
	bool has_room;
	int r = 0;

	if (!disk->retainer)
		return false;
	pthread_mutex_lock(&p->lock);
	before_cnt = disk->full_cnt;
	look_cnt = disk->look_cnt;
	disk->is_room_wanted = true;
	pthread_cond_signal(&p->tick);
	while (disk->look_cnt == look_cnt && !p->stopping && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&disk->turn, &p->lock, &until);
	has_room = disk->full_cnt != before_cnt;
	pthread_mutex_unlock(&p->lock);
	return has_room;
}

/* Whether the block is to be tried again, at once since there is room now, or later. */
static bool after_fault(struct kp_pipeline *p, int error, const struct kp_err *why)
{
	bool may_wait;

	if (error != -EIO && get_room(p))
		return true;
	pthread_mutex_lock(&p->lock);
	set_short(p, error, why);
	may_wait = !p->is_draining && !p->stopping;
	pthread_mutex_unlock(&p->lock);
	return may_wait;
}

static void after_success(struct kp_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->disk.is_short = p->disk.is_below_floor;
	pthread_mutex_unlock(&p->lock);
}

int kp_pipeline_append(struct kp_pipeline *p, const struct kp_pipeline_block *block,
		       const struct kp_encoded *encoded, struct kp_err *err)
{
	int r;

	while (wait_for_disk(p, block)) {
		kp_ledger_begin_write(&p->ledger, block->stream->number, block->data, block->len);
		r = kp_log_append_encoded(p->writer, block->stream->number, encoded, block->len,
					  block->lost, err);
		kp_ledger_end_write(&p->ledger, r >= 0);
		if (r >= 0)
			after_success(p);
		if (!is_disk_fault(r) || !after_fault(p, r, err))
			return r;
	}
	pthread_mutex_lock(&p->lock);
	r = p->disk.error ? p->disk.error : -ENOSPC;
	*err = p->disk.why;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* --- who looks after the disk --- */

static void sync_log(struct kp_pipeline *p)
{
	struct kp_err err = {""};
	int r;

	p->disk.synced_ns = kp_clock_ns(CLOCK_MONOTONIC);
	r = kp_log_sync(p->writer, &err);
	if (r >= 0)
		return;
	pthread_mutex_lock(&p->lock);
	kp_pipeline_set_error(p, r, &err);
	pthread_mutex_unlock(&p->lock);
}

static void sync_if_due(struct kp_pipeline *p)
{
	if (p->sync_ns && kp_clock_ns(CLOCK_MONOTONIC) - p->disk.synced_ns >= p->sync_ns)
		sync_log(p);
}

static void tell_removed(void *arg, const struct kp_retain_segment *segment)
{
	struct kp_pipeline *p = arg;
	struct kp_ev_retain ev = {
		.len = segment->len, .left_len = segment->left_len, .why = segment->why};
	char name[KP_SEG_NAME_MAX];
	struct kp_buf text = {0};

	kp_seg_name(segment->number, name);
	kp_buf_printf(&text, "%s/%s", segment->boot, name);
	kp_sink_put(&p->drain_sink, KP_EV_retain, &ev, sizeof(ev), text.data, text.len);
	kp_buf_done(&text);
	if (segment->why != KP_RETAIN_full)
		return;
	pthread_mutex_lock(&p->lock);
	p->disk.full_cnt++;
	p->disk.full_len += segment->len;
	pthread_mutex_unlock(&p->lock);
}

/* Under the lock. */
static void take_retained(struct kp_pipeline *p, const struct kp_retained *retained)
{
	struct kp_err why;

	p->disk.is_over_quota |= retained->is_over_quota;
	if (retained->is_short) {
		kp_err_set(&why, 0,
			   "less of the log's disk is free than --min-free asks for, and "
			   "nothing of the log is left to go");
		set_short(p, 0, &why);
	}
	p->disk.is_below_floor = retained->is_short;
}

/* false: nothing is to be removed any more. */
static bool begin_look(struct kp_pipeline *p)
{
	bool may_look;

	pthread_mutex_lock(&p->lock);
	may_look = p->disk.retainer && !p->disk.is_over;
	p->disk.is_looking = may_look;
	pthread_mutex_unlock(&p->lock);
	return may_look;
}

static void end_look(struct kp_pipeline *p, const struct kp_retained *retained)
{
	pthread_mutex_lock(&p->lock);
	if (retained)
		take_retained(p, retained);
	p->disk.is_looking = false;
	pthread_cond_broadcast(&p->disk.turn);
	pthread_mutex_unlock(&p->lock);
}

static void retain(struct kp_pipeline *p, bool is_full)
{
	struct kp_retain_now now = {.segment = kp_pipeline_segment(p),
				    .written = kp_log_written(p->writer),
				    .is_full = is_full};
	struct kp_retained retained;
	struct kp_err err = {""};
	bool is_due;
	int r = 0;

	if (!begin_look(p))
		return;
	if (is_full) /* a segment that waits for its sync is held open, and keeps its room */
		sync_log(p);
	is_due = kp_retainer_is_due(p->disk.retainer, &now);
	if (is_due)
		r = kp_retainer_run(p->disk.retainer, &now, &retained, &err);
	if (r < 0) {
		pthread_mutex_lock(&p->lock);
		kp_pipeline_set_error(p, r, &err);
		pthread_mutex_unlock(&p->lock);
	}
	end_look(p, is_due ? &retained : NULL);
}

void kp_pipeline_end_retention(struct kp_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->disk.is_over = true;
	while (p->disk.is_looking)
		pthread_cond_wait(&p->disk.turn, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void *kp_pipeline_disk_loop(void *arg)
{
	struct kp_pipeline *p = arg;
	uint64_t turn_ns = p->sync_ns && p->sync_ns < TURN_NS ? p->sync_ns : TURN_NS;
	uint64_t free_len;
	struct timespec until;
	bool is_full;

	kp_priority_raise(KP_NICE_SOON); /* as who writes what is to go */
	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		until = kp_cond_until(turn_ns);
		if (!p->disk.is_room_wanted && !p->disk.is_look_due)
			pthread_cond_timedwait(&p->tick, &p->lock, &until);
		if (p->stopping)
			break;
		is_full = p->disk.is_room_wanted;
		p->disk.is_look_due = false;
		pthread_mutex_unlock(&p->lock);
		retain(p, is_full);
		if (!is_full)
			sync_if_due(p);
		free_len = kp_log_free_len(p->writer);
		pthread_mutex_lock(&p->lock);
		p->disk.free_len = free_len;
		p->disk.is_room_wanted &= !is_full;
		p->disk.look_cnt += is_full;
		p->disk.is_try_due = p->disk.is_short && !p->disk.is_below_floor;
		pthread_cond_broadcast(&p->disk.turn);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- the whole --- */

int kp_pipeline_init_disk(struct kp_pipeline *p, const struct kp_pipeline_options *options,
			  struct kp_err *err)
{
	struct kp_retain_options retain = {.limits = options->retain,
					   .keeps_objects = options->has_command,
					   .on_remove = tell_removed,
					   .arg = p};

	p->disk.synced_ns = kp_clock_ns(CLOCK_MONOTONIC);
	p->disk.free_len = kp_log_free_len(p->writer);
	if (!kp_retain_is_wanted(&retain.limits))
		return 0;
	return kp_log_make_retainer(p->writer, &retain, &p->disk.retainer, err);
}

void kp_pipeline_done_disk(struct kp_pipeline *p)
{
	kp_retainer_free(p->disk.retainer);
	p->disk.retainer = NULL;
}

void kp_pipeline_disk(struct kp_pipeline *p, struct kp_disk_look *ret_look)
{
	pthread_mutex_lock(&p->lock);
	*ret_look = (struct kp_disk_look){.is_short = p->disk.is_short,
					  .error = p->disk.error,
					  .why = p->disk.why,
					  .since_ns = p->disk.since_ns,
					  .lost = p->disk.lost,
					  .free_len = p->disk.free_len,
					  .full_cnt = p->disk.full_cnt,
					  .full_len = p->disk.full_len,
					  .is_over_quota = p->disk.is_over_quota};
	pthread_mutex_unlock(&p->lock);
}
