/* SPDX-License-Identifier: MIT
 * The tier's changes; see tiers.h.
 */
#include "record/tiers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "record/thread.h"

#define BOTH_NS 1000000000ull /* both tiers are recorded around a change */

struct kp_tiers {
	struct kp_tiers_options options;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	_Atomic uint32_t wanted;
	/* Under the lock. */
	enum kp_tier_why why;
	bool is_repeat_due;
	bool is_stopping;
	/* The thread's own. */
	enum kp_tier tier;
};

enum kp_tier kp_tier_below(uint32_t tiers, enum kp_tier tier)
{
	for (unsigned i = tier; i-- > 0;)
		if (tiers & 1u << i)
			return (enum kp_tier)i;
	return tier;
}

enum kp_tier kp_tier_above(uint32_t tiers, enum kp_tier tier)
{
	for (unsigned i = tier + 1; i < KP_TIER_CNT; i++)
		if (tiers & 1u << i)
			return (enum kp_tier)i;
	return tier;
}

static void tell(struct kp_tiers *t, enum kp_tier before, enum kp_tier_why why)
{
	struct kp_ev_tier ev = {.tier = t->tier,
				.groups = t->options.groups,
				.before = why == KP_TIER_WHY_same ? 0 : before,
				.why = why};

	kp_sink_put_fixed(t->options.sink, KP_EV_tier, &ev, sizeof(ev));
}

/* Unless it is time to stop. */
static void wait_a_second(struct kp_tiers *t)
{
	struct timespec until = kp_cond_until(BOTH_NS);
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (!t->is_stopping && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&t->turn, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
}

static void set(struct kp_tiers *t, uint32_t tiers)
{
	struct kp_err err;

	if (kp_probes_set_tiers(t->options.probes, tiers, &err) < 0)
		t->options.on_warning(t->options.arg, err.text);
}

static void change(struct kp_tiers *t, enum kp_tier to, enum kp_tier_why why)
{
	enum kp_tier from = t->tier;
	struct kp_err err;

	if (kp_probes_set_tiers(t->options.probes, 1u << from | 1u << to, &err) < 0) {
		t->options.on_warning(t->options.arg, err.text);
		set(t, 1u << from);
		t->wanted = from;
		return;
	}
	t->tier = to;
	if (to > from)
		tell(t, from, why);
	wait_a_second(t);
	if (to < from)
		tell(t, from, why);
	set(t, 1u << to);
}

static void *change_loop(void *arg)
{
	struct kp_tiers *t = arg;
	enum kp_tier_why why;
	enum kp_tier wanted;

	pthread_mutex_lock(&t->lock);
	while (!t->is_stopping) {
		wanted = t->wanted;
		why = t->why;
		if (wanted == t->tier && !t->is_repeat_due) {
			pthread_cond_wait(&t->turn, &t->lock);
			continue;
		}
		t->is_repeat_due = false;
		pthread_mutex_unlock(&t->lock);
		if (wanted != t->tier)
			change(t, wanted, why);
		else
			tell(t, t->tier, KP_TIER_WHY_same);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int kp_tiers_start(const struct kp_tiers_options *options, struct kp_tiers **ret_tiers,
		   struct kp_err *err)
{
	struct kp_tiers *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	t->options = *options;
	t->tier = kp_probes_tier(options->groups);
	t->wanted = t->tier;
	pthread_mutex_init(&t->lock, NULL);
	kp_cond_init_timed(&t->turn);
	tell(t, t->tier, KP_TIER_WHY_same);
	r = kp_thread_start(&t->thread, "kp-tiers", change_loop, t);
	if (r < 0) {
		free(t);
		return kp_err_sys(err, r, "cannot start the recorder's threads");
	}
	*ret_tiers = t;
	return 0;
}

enum kp_tier kp_tiers_wanted(const struct kp_tiers *tiers)
{
	return (enum kp_tier)tiers->wanted;
}

void kp_tiers_want(struct kp_tiers *tiers, enum kp_tier tier, enum kp_tier_why why)
{
	pthread_mutex_lock(&tiers->lock);
	tiers->wanted = tier;
	tiers->why = why;
	pthread_cond_signal(&tiers->turn);
	pthread_mutex_unlock(&tiers->lock);
}

void kp_tiers_repeat(struct kp_tiers *tiers)
{
	pthread_mutex_lock(&tiers->lock);
	tiers->is_repeat_due = true;
	pthread_cond_signal(&tiers->turn);
	pthread_mutex_unlock(&tiers->lock);
}

void kp_tiers_stop(struct kp_tiers *tiers)
{
	if (!tiers)
		return;
	pthread_mutex_lock(&tiers->lock);
	tiers->is_stopping = true;
	pthread_cond_signal(&tiers->turn);
	pthread_mutex_unlock(&tiers->lock);
	pthread_join(tiers->thread, NULL);
	pthread_cond_destroy(&tiers->turn);
	pthread_mutex_destroy(&tiers->lock);
	free(tiers);
}
