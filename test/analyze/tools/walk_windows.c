/* SPDX-License-Identifier: MIT
 *
 * walk_windows LOG [WINDOWS [SEED]]: reads a real log, walks random windows of random tasks, and
 * checks that each is partitioned exactly (the walk asserts it, the sums are taken here again).
 * Prints how fast the log was read and how long the walks took.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analyze/walk.h"
#include "log/reader.h"

static uint64_t seed = 1;

static uint64_t rnd(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return n ? (seed >> 16) % n : 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int read_log(struct kp_model *m, const char *path)
{
	const struct kp_hdr *event;
	struct kp_log_reader *reader;
	struct kp_err err = {""};
	double begin = now(), in_model = 0, t;
	int code = kp_log_open(path, NULL, &reader, &err);

	while (code >= 0 && (code = kp_log_next(reader, &event, &err)) > 0) {
		t = m->event_cnt % 64 ? 0 : now();
		if (kp_model_add(m, event) < 0)
			return 1;
		if (t > 0)
			in_model += (now() - t) * 64;
	}
	if (code < 0 || kp_model_finish(m) < 0) {
		fprintf(stderr, "walk_windows: %s\n", err.text);
		return 1;
	}
	printf("%" PRIu64 " events in %.3f s (%.2f million/s), about %.3f s of it in the model; "
	       "%u tasks, %u wakes\n",
	       m->event_cnt, now() - begin, (double)m->event_cnt / (now() - begin) / 1e6, in_model,
	       m->tasks.cnt, m->wakes.cnt);
	kp_log_reader_free(reader);
	return 0;
}

/* One window, half of them short, most within the task's life; false if the sum is wrong. */
static bool walk_one(struct kp_model *m, uint64_t *sums, double *ret_us)
{
	uint32_t task = 1 + (uint32_t)rnd(m->tasks.cnt - 1);
	uint64_t first = m->first_ns, last = m->last_ns, t0, len, sum = 0;
	bool inside = rnd(8) != 0;
	struct kp_walk w;
	double begin;

	if (inside && m->tasks.at[task].start_ns > first)
		first = m->tasks.at[task].start_ns;
	if (inside && m->tasks.at[task].end_ns < last)
		last = m->tasks.at[task].end_ns;
	t0 = first + rnd(last > first ? last - first : 1);
	len = rnd(2) ? rnd(50000000) : rnd(m->last_ns - m->first_ns);
	if (inside && t0 + len > last)
		len = last > t0 ? last - t0 : 0;
	begin = now();
	if (kp_walk_run(m, task, t0, t0 + len, &w) < 0)
		return false;
	*ret_us = (now() - begin) * 1e6;
	for (uint32_t i = 0; i < w.pieces.cnt; i++) {
		sum += w.pieces.at[i].t1_ns - w.pieces.at[i].t0_ns;
		if (inside) /* a task that is gone has nothing to tell */
			sums[w.pieces.at[i].kind] += w.pieces.at[i].t1_ns - w.pieces.at[i].t0_ns;
	}
	kp_walk_done(&w);
	return sum == len;
}

int main(int argc, char **argv)
{
	int windows = argc > 2 ? atoi(argv[2]) : 5000, i;
	uint64_t sums[KP_B_CNT] = {0}, all = 0;
	struct kp_model m;
	double *us;

	if (argc < 2 || windows < 1)
		return fprintf(stderr, "usage: walk_windows LOG [WINDOWS [SEED]]\n"), 2;
	if (argc > 3)
		seed = strtoull(argv[3], NULL, 10);
	us = calloc((size_t)windows, sizeof(*us));
	if (!us || kp_model_init(&m) < 0 || read_log(&m, argv[1]))
		return 1;
	for (i = 0; i < windows; i++)
		if (!walk_one(&m, sums, &us[i]))
			return fprintf(stderr, "walk_windows: window %d does not add up\n", i), 1;
	qsort(us, (size_t)windows, sizeof(*us), by_value);
	for (i = 0; i < KP_B_CNT; i++)
		all += sums[i];
	printf("%d windows add up exactly; a walk took %.0f us at the median, %.0f at p99, %.0f at "
	       "most\n",
	       windows, us[windows / 2], us[windows * 99 / 100], us[windows - 1]);
	for (i = 0; i < KP_B_CNT; i++)
		if (sums[i])
			printf("  %-10s %5.2f %%\n", kp_bucket_name((unsigned)i),
			       100.0 * (double)sums[i] / (double)all);
	free(us);
	kp_model_done(&m);
	return 0;
}
