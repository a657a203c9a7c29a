/* SPDX-License-Identifier: MIT
 * That the accounts of a run are exact: shared by the tests that record.
 */
#ifndef KP_TEST_ACCOUNTS_H
#define KP_TEST_ACCOUNTS_H

#include "probes_run.h"

/* produced = stored + lost in the result, and the log says the same. */
static inline void expect_accounts(struct run *run, bool must_lose)
{
	const struct kp_totals *totals = &run->result.totals;
	uint64_t counted[KP_GROUP_CNT] = {0}, told_lost[KP_GROUP_CNT] = {0}, lost = 0;
	const struct kp_ev_record_stats *stats;
	const struct kp_hdr *event;
	const struct kp_ev_lost *gone;
	struct kp_err err = {""};
	int r;

	for (int g = 0; g < KP_GROUP_CNT; g++) {
		cr_expect_eq(totals->produced[g], totals->stored[g] + totals->lost[g],
			     "%s: %lu produced, %lu stored, %lu lost", kp_group_name((unsigned)g),
			     totals->produced[g], totals->stored[g], totals->lost[g]);
		lost += totals->lost[g];
	}
	cr_expect(lost || !must_lose, "nothing was lost");
	rewind_run(run);
	while ((r = kp_log_next(run->reader, &event, &err)) > 0) {
		const struct kp_event_desc *desc = kp_event_get(event->kind);

		/* meta has the snapshot too, which has no probe behind it, and a segment's begin
		 * repeats sockets */
		if (desc && desc->group != KP_GROUP_meta)
			counted[desc->group] +=
				event->kind != KP_EV_socket || event->cpu != KP_CPU_USER;
	}
	cr_assert_eq(r, 0, "%s", err.text);
	rewind_run(run);
	while ((gone = next_of(run, KP_EV_lost))) {
		told_lost[gone->lost_group] += gone->count;
		cr_expect_leq(gone->from_ns, gone->to_ns);
		cr_expect_leq(gone->to_ns, gone->hdr.time_ns);
	}
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		if (g != KP_GROUP_meta)
			cr_expect_eq(counted[g], totals->stored[g],
				     "%s: %lu in the log, %lu stored", kp_group_name((unsigned)g),
				     counted[g], totals->stored[g]);
		cr_expect_eq(told_lost[g], totals->lost[g]);
	}
	rewind_run(run);
	while ((stats = next_of(run, KP_EV_record_stats)))
		cr_expect_eq(stats->produced, stats->stored + stats->lost);
}

#endif
