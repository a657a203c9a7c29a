/* SPDX-License-Identifier: MIT
 *
 * In which tier it records: what was asked for, less by signals (SIGUSR1 a step down, SIGUSR2 up
 * again) and by the budget of CPU time; see recorder_in.h. What is selected for replay has nothing
 * to do with it.
 */
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/event.h"
#include "record/recorder_in.h"

/* CPU time of all threads. What the programs take in the kernel is charged to whom they interrupt,
 * and not known. */
static uint64_t used_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000 +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000;
}

static void on_step_signal(uv_signal_t *handle, int sig)
{
	struct recorder *r = handle->data;
	uint32_t tiers = kp_probes_tiers(r->options->groups);
	enum kp_tier from = kp_tiers_wanted(r->tiers);
	enum kp_tier to = sig == SIGUSR1 ? kp_tier_below(tiers, from) : kp_tier_above(tiers, from);

	r->ceiling = to;
	kp_budget_reset(&r->budget);
	if (to == from)
		return;
	kp_tiers_want(r->tiers, to, KP_TIER_WHY_asked);
	kp_recorder_notice(r, "asked by a signal to record the tier %s, not %s", kp_tier_name(to),
			   kp_tier_name(from));
}

static void tiers_warn(void *arg, const char *text)
{
	kp_recorder_warn(arg, text);
}

int kp_recorder_start_tiers(struct recorder *r, struct kp_err *err)
{
	static const int signals[KP_STEP_SIGNAL_CNT] = {SIGUSR1, SIGUSR2};
	struct kp_tiers_options options = {.probes = r->probes,
					   .groups = r->options->groups,
					   .sink = kp_pipeline_sink(r->pipeline),
					   .on_warning = tiers_warn,
					   .arg = r};
	int error = kp_tiers_start(&options, &r->tiers, err);

	if (error < 0)
		return error;
	r->ceiling = kp_probes_tier(r->options->groups);
	kp_budget_init(&r->budget, r->options->budget, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 0; i < KP_STEP_SIGNAL_CNT && error >= 0; i++) {
		error = uv_signal_init(&r->loop, &r->step_signals[i]);
		r->step_signals[i].data = r;
		if (error >= 0)
			error = uv_signal_start(&r->step_signals[i], on_step_signal, signals[i]);
	}
	return error < 0 ? kp_err_sys(err, error, "cannot watch for signals") : 0;
}

void kp_recorder_look_at_budget(struct recorder *r)
{
	uint32_t tiers = kp_probes_tiers(r->options->groups), used;
	enum kp_tier from = kp_tiers_wanted(r->tiers), to;
	int step = kp_budget_look(&r->budget, kp_clock_ns(CLOCK_MONOTONIC), used_ns(),
				  from < r->ceiling && !r->disk.is_tier_lowered);

	to = step < 0 ? kp_tier_below(tiers, from) : step > 0 ? kp_tier_above(tiers, from) : from;
	if (to == from)
		return;
	used = r->budget.used;
	kp_tiers_want(r->tiers, to, step < 0 ? KP_TIER_WHY_over : KP_TIER_WHY_under);
	kp_recorder_notice(r,
			   "it took %.3g %% of this machine's CPU time, %s its budget of %.3g %%: "
			   "it goes on in the tier %s, not %s",
			   used / 1000.0, step < 0 ? "more than" : "less than half of",
			   r->options->budget / 1000.0, kp_tier_name(to), kp_tier_name(from));
}
