/* SPDX-License-Identifier: MIT
 * Sources beside the rings; see sources.h.
 */
#include "record/sources.h"

#include <stdbool.h>

static bool is_wanted(const struct kp_sources *s, const struct kp_source *source)
{
	return !source->groups || source->groups & s->groups;
}

int kp_sources_start(struct kp_sources *sources, uint64_t now_ns, struct kp_err *err)
{
	const struct kp_source *source;
	int r = 0;

	for (; sources->started_cnt < sources->cnt; sources->started_cnt++) {
		source = &sources->table[sources->started_cnt];
		sources->due_ns[sources->started_cnt] = now_ns + source->period_ns;
		if (source->start && is_wanted(sources, source))
			r = source->start(sources->owner, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void kp_sources_turn(struct kp_sources *sources, uint64_t now_ns)
{
	const struct kp_source *source;
	uint64_t *due_ns;

	for (size_t i = 0; i < sources->started_cnt; i++) {
		source = &sources->table[i];
		due_ns = &sources->due_ns[i];
		if (now_ns < *due_ns || !source->tick || !is_wanted(sources, source))
			continue;
		*due_ns += source->period_ns;
		if (*due_ns <= now_ns) /* what was missed is not made up for */
			*due_ns = now_ns + source->period_ns;
		source->tick(sources->owner);
	}
}

void kp_sources_stop(struct kp_sources *sources)
{
	const struct kp_source *source;

	for (size_t i = 0; i < sources->started_cnt; i++) {
		source = &sources->table[i];
		if (source->stop && is_wanted(sources, source))
			source->stop(sources->owner);
	}
	sources->started_cnt = 0;
}
