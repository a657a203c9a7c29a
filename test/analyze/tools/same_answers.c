/* SPDX-License-Identifier: MIT
 *
 * same_answers LOG [WINDOWS [SEED]]: asks for random windows of random tasks twice, with as little
 * of the log read at first as there can be, and with all of it; what the first answer is sure of
 * must stand in the second one too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyze/incident.h"
#include "analyze/model.h"
#include "log/clock.h"
#include "log/reader.h"

#define LITTLE 1         /* event that is read at first: so the least margin is taken */
#define LEN_MAX 50000000 /* ns of a window */
#define PART 100         /* of a window, by which answers may differ */

static uint64_t seed = 1;

static uint64_t rnd(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return n ? (seed >> 16) % n : 0;
}

static int read_tasks(struct kp_model *m, const char *path)
{
	const struct kp_hdr *event;
	struct kp_log_reader *reader;
	struct kp_err err = {""};
	int code = kp_log_open(path, NULL, &reader, &err);

	while (code >= 0 && (code = kp_log_next(reader, &event, &err)) > 0)
		if (kp_model_add(m, event) < 0)
			return -1;
	if (code >= 0)
		kp_log_reader_free(reader);
	return code < 0 ? code : kp_model_finish(m);
}

/* ns of the report's buckets of that kind and cause. */
static uint64_t spent(const struct kp_report *r, const struct kp_bucket *like)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < r->buckets.cnt; i++)
		if (r->buckets.at[i].kind == like->kind &&
		    r->buckets.at[i].cause.tid == like->cause.tid)
			ns += r->buckets.at[i].ns;
	return ns;
}

/* Whether all that the first one is sure of is in the second. */
static bool agrees(const struct kp_report *some, const struct kp_report *all)
{
	uint64_t slack = (some->t1_ns - some->t0_ns) / PART, a, b;
	const struct kp_bucket *bucket;

	for (uint32_t i = 0; i < some->buckets.cnt; i++) {
		bucket = &some->buckets.at[i];
		a = bucket->ns;
		b = spent(all, bucket);
		if (bucket->confidence > 'B' || a <= b + slack)
			continue;
		printf("tid %u: %s of tid %u, %c: %" PRIu64 " ns of %" PRIu64
		       ", in the whole log %" PRIu64 "\n",
		       some->task.tid, kp_bucket_name(bucket->kind), bucket->cause.tid,
		       bucket->confidence, a, some->t1_ns - some->t0_ns, b);
		return false;
	}
	return true;
}

/* 1: the same; 0: not; -1: there is no answer. */
static int ask(const char *log, const struct kp_model *m, const struct kp_clock *clock)
{
	const struct kp_task *task = &m->tasks.at[1 + rnd(m->tasks.cnt - 1)];
	uint64_t first = task->start_ns > m->first_ns ? task->start_ns : m->first_ns;
	uint64_t last = task->end_ns < m->last_ns ? task->end_ns : m->last_ns;
	uint64_t t0 = first + rnd(last > first ? last - first : 1), len = rnd(LEN_MAX);
	struct kp_incident what = {.id = "x", .input = log, .pid = task->pid, .tid = task->tid};
	struct kp_report some = {0}, all = {0};
	struct kp_err err = {""};
	int r;

	if (!task->pid || t0 + len > last)
		return -1;
	what.from_realtime_ns = kp_clock_to_real(clock, t0);
	what.to_realtime_ns = kp_clock_to_real(clock, t0 + len);
	what.read_cnt = LITTLE;
	r = kp_incident_make(&what, &some, &err) < 0 ? -1 : 0;
	what.read_cnt = UINT64_MAX;
	if (r == 0 && kp_incident_make(&what, &all, &err) == 0)
		r = agrees(&some, &all);
	else if (kp_incident_make(&what, &all, &err) == 0)
		printf("tid %u: no answer from a part: %s\n", task->tid, err.text), r = 0;
	kp_report_done(&some);
	kp_report_done(&all);
	return r;
}

int main(int argc, char **argv)
{
	int windows = argc > 2 ? atoi(argv[2]) : 50, same = 0, asked = 0, r;
	struct kp_clock clock = {0};
	struct kp_err err = {""};
	struct kp_model m;

	if (argc < 2 || windows < 1)
		return fprintf(stderr, "usage: same_answers LOG [WINDOWS [SEED]]\n"), 2;
	if (argc > 3)
		seed = strtoull(argv[3], NULL, 10);
	if (kp_model_init(&m) < 0 || read_tasks(&m, argv[1]) < 0 ||
	    kp_clock_read(argv[1], &clock, &err) < 0 || m.tasks.cnt < 2)
		return fprintf(stderr, "same_answers: %s\n", err.text), 1;
	for (int i = 0; i < windows; i++) {
		r = ask(argv[1], &m, &clock);
		asked += r >= 0;
		same += r > 0;
	}
	printf("%d of %d answers are the same from a part of the log\n", same, asked);
	kp_clock_done(&clock);
	kp_model_done(&m);
	return !(asked && same == asked);
}
