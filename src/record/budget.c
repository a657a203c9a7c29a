/* SPDX-License-Identifier: MIT
 * The budget of CPU time; see budget.h.
 */
#include "record/budget.h"

#include <string.h>

#define SECOND_NS 1000000000ull
#define PATIENCE_MIN_NS (30 * SECOND_NS)
#define PATIENCE_MAX_NS (3600 * SECOND_NS)
/* A step up has lasted when nothing came after it for so long. */
#define LASTS_NS (120 * SECOND_NS)

void kp_budget_init(struct kp_budget *budget, uint32_t share, unsigned cpu_cnt)
{
	memset(budget, 0, sizeof(*budget));
	budget->share = share;
	budget->cpu_cnt = cpu_cnt ? cpu_cnt : 1;
	budget->patience_ns = PATIENCE_MIN_NS;
}

void kp_budget_reset(struct kp_budget *budget)
{
	budget->reading_cnt = 0;
	budget->quiet_since_ns = 0;
}

static void add(struct kp_budget *b, uint64_t now_ns, uint64_t used_ns)
{
	if (b->reading_cnt == KP_BUDGET_READINGS)
		memmove(b->readings, b->readings + 1, --b->reading_cnt * sizeof(*b->readings));
	b->readings[b->reading_cnt++] = (struct kp_budget_reading){now_ns, used_ns};
}

/* Since the oldest reading. */
static uint32_t used_of(const struct kp_budget *b)
{
	const struct kp_budget_reading *first = b->readings;
	const struct kp_budget_reading *last = first + b->reading_cnt - 1;

	if (last->now_ns <= first->now_ns)
		return 0;
	return (uint32_t)((double)(last->used_ns - first->used_ns) * KP_BUDGET_WHOLE /
			  ((double)(last->now_ns - first->now_ns) * b->cpu_cnt));
}

static int step_down(struct kp_budget *b, uint64_t now_ns)
{
	if (b->raised_ns && now_ns - b->raised_ns < LASTS_NS)
		b->patience_ns =
			b->patience_ns < PATIENCE_MAX_NS / 2 ? b->patience_ns * 2 : PATIENCE_MAX_NS;
	b->raised_ns = 0;
	kp_budget_reset(b);
	return -1;
}

static int step_up(struct kp_budget *b, uint64_t now_ns)
{
	b->raised_ns = now_ns;
	kp_budget_reset(b);
	return 1;
}

int kp_budget_look(struct kp_budget *budget, uint64_t now_ns, uint64_t used_ns, bool can_rise)
{
	struct kp_budget *b = budget;

	add(b, now_ns, used_ns);
	if (!b->share || b->reading_cnt < KP_BUDGET_READINGS)
		return 0;
	if (b->raised_ns && now_ns - b->raised_ns >= LASTS_NS) {
		b->raised_ns = 0;
		b->patience_ns = PATIENCE_MIN_NS;
	}
	b->used = used_of(b);
	if (b->used > b->share)
		return step_down(b, now_ns);
	if (!can_rise || b->used >= b->share / 2) {
		b->quiet_since_ns = 0;
		return 0;
	}
	if (!b->quiet_since_ns)
		b->quiet_since_ns = now_ns;
	return now_ns - b->quiet_since_ns >= b->patience_ns ? step_up(b, now_ns) : 0;
}
