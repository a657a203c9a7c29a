/* SPDX-License-Identifier: MIT
 * A story of one incident: A runs on CPU 0 from 0 on, and its time is walked. Included once by each
 * file of tests.
 */
#ifndef TEST_STORY_H
#define TEST_STORY_H

#include <sys/syscall.h>

#include "analyze/ingest.h"
#include "analyze/rules.h"
#include "stream.h"

#define S KP_TASK_INTERRUPTIBLE
#define D KP_TASK_UNINTERRUPTIBLE
#define A 100 /* the incident's thread */
#define B 200
#define C 300

static const struct ends client = {0x0100007f, 0x0100007f, 40000, 80};

static struct kp_model m;

static inline void begin(void)
{
	cr_assert_eq(kp_model_init(&m), 0);
	sw(&m, 0, 0, 0, 0, A); /* A runs on CPU 0 from 0 on */
	sw(&m, 0, 1, 0, 0, 0);
}

/* Whoever is on CPU 0 leaves it at the end. */
static inline struct kp_walk finish(uint64_t t0, uint64_t t1)
{
	const struct kp_cpu *cpu = kp_model_cpu_get(&m, 0);
	uint32_t task = cpu->occupants.cnt ? cpu->occupants.at[cpu->occupants.cnt - 1].task : 0;

	sw(&m, 100000, 0, m.tasks.at[task].tid, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	return walk_of(&m, A, t0, t1);
}

static inline void done(struct kp_walk *w)
{
	kp_walk_done(w);
	kp_model_done(&m);
}

static inline const char *via(const struct kp_walk *w, const struct kp_piece *p)
{
	return p->wait == KP_NONE ? "" : w->waits.at[p->wait].rule->via;
}

static inline const struct kp_piece *find(const struct kp_walk *w, uint8_t kind)
{
	for (uint32_t i = 0; i < w->pieces.cnt; i++)
		if (w->pieces.at[i].kind == kind)
			return &w->pieces.at[i];
	cr_assert_fail("no piece of kind %s", kp_bucket_name(kind));
	return NULL;
}

#endif
