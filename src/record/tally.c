/* SPDX-License-Identifier: MIT
 * The accounts of a run; see tally.h.
 */
#include "record/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "kprobe/log_format.h"

/* Per CPU: what was already told of losses, and the interrupts at the last reading. */
struct cpu_state {
	/* In the log, and lost behind the rings, when this recorder took over. */
	uint64_t stored_before[KP_RING_CNT][KP_GROUP_CNT];
	uint64_t lost_before[KP_RING_CNT][KP_GROUP_CNT];
	uint64_t lost[KP_RING_CNT][KP_GROUP_CNT];
	uint64_t in_ring[KP_RING_CNT][KP_GROUP_CNT]; /* of these, for lack of room there */
	uint64_t unheard[KP_RING_CNT][KP_GROUP_CNT]; /* of these, since nobody listened */
	bool is_late[KP_RING_CNT][KP_GROUP_CNT];     /* more of the round before are to be told */
	uint64_t irq_cnt[KP_IRQ_SUM_CNT];
};

/* What the recorder itself says is lost when it cannot be written. */
#define OWN_STREAM KP_CPU_USER

struct kp_tally {
	struct kp_probes *probes;
	struct kp_pipeline *pipeline;
	struct cpu_state *cpus;
	unsigned cpu_cnt;
	struct kp_ledger *ledger;
	uint64_t own_stored_before[KP_GROUP_CNT], own_lost_before[KP_GROUP_CNT];
	uint64_t own_lost[KP_GROUP_CNT]; /* already told */
	uint64_t looked_ns;              /* time of the last look for losses */
	uint64_t missed_ns;              /* the same for those of no known CPU */
	uint32_t round;                  /* of the losses to be told next */
	uint64_t missed[KP_GROUP_CNT];   /* already told, of programs that the kernel did not run */
};

uint32_t kp_tally_stream(unsigned cpu, enum kp_ring ring)
{
	return ring == KP_RING_PAYLOAD ? cpu | KP_STREAM_SELECTED
	       : ring == KP_RING_BULK  ? cpu | KP_STREAM_SELECTED | KP_STREAM_BULK
	       : ring == KP_RING_LIFE  ? cpu | KP_STREAM_LIFE
				       : cpu;
}

enum kp_ring kp_tally_ring(uint32_t stream)
{
	return stream & KP_STREAM_BULK       ? KP_RING_BULK
	       : stream & KP_STREAM_SELECTED ? KP_RING_PAYLOAD
	       : stream & KP_STREAM_LIFE     ? KP_RING_LIFE
					     : KP_RING_EVENTS;
}

unsigned kp_tally_cpu(uint32_t stream)
{
	return stream & ~(KP_STREAM_SELECTED | KP_STREAM_BULK | KP_STREAM_LIFE);
}

/* What a killed recorder had read of a stream and not written; returns how many. */
static uint64_t tell_unwritten(struct kp_tally *t, unsigned cpu, enum kp_ring kind,
			       struct kp_ledger_row *row)
{
	uint64_t *told = t->cpus[cpu].lost[kind], *lost = t->cpus[cpu].lost_before[kind], cnt = 0;
	struct kp_ev_lost ev = {.from_ns = row->stored_ns ? row->stored_ns : t->looked_ns,
				.to_ns = row->taken_ns,
				.lost_cpu = cpu,
				.lost_stream = kp_tally_stream(cpu, kind)};

	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		ev.count = lost[g] > row->dropped[g] ? lost[g] - row->dropped[g] : 0;
		ev.lost_group = g;
		row->dropped[g] = lost[g];
		told[g] += ev.count;
		cnt += ev.count;
		if (ev.from_ns > ev.to_ns)
			ev.from_ns = ev.to_ns;
		if (ev.count)
			kp_sink_put_fixed(kp_pipeline_sink(t->pipeline), KP_EV_lost, &ev,
					  sizeof(ev));
	}
	return cnt;
}

/* The accounts of a stream as they were left; see ledger.h. */
static uint64_t take_row(struct kp_tally *t, unsigned cpu, enum kp_ring kind)
{
	struct kp_ledger_row *row = kp_ledger_row(t->ledger, kp_tally_stream(cpu, kind));
	struct cpu_state *state = &t->cpus[cpu];

	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		state->stored_before[kind][g] = row->stored[g];
		state->lost_before[kind][g] = row->taken[g] - row->stored[g];
		state->lost[kind][g] = row->told[g];
		if (row->told[g] > row->dropped[g])
			state->in_ring[kind][g] = row->told[g] - row->dropped[g];
	}
	return tell_unwritten(t, cpu, kind, row);
}

uint64_t kp_tally_take_over(struct kp_tally *t)
{
	const struct kp_ledger_row *own = kp_ledger_row(t->ledger, OWN_STREAM);
	uint64_t cnt = 0;

	t->looked_ns = t->missed_ns = t->ledger->memory->looked_ns;
	memcpy(t->own_stored_before, own->stored, sizeof(own->stored));
	memcpy(t->own_lost_before, own->told, sizeof(own->told));
	memcpy(t->own_lost, own->told, sizeof(own->told));
	memcpy(t->missed, kp_ledger_row(t->ledger, KP_LOST_ANYWHERE)->told, sizeof(t->missed));
	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++)
		for (int kind = 0; kind < KP_RING_CNT; kind++)
			cnt += take_row(t, cpu, (enum kp_ring)kind);
	return cnt;
}

int kp_tally_new(struct kp_probes *probes, struct kp_pipeline *pipeline, uint64_t since_ns,
		 struct kp_tally **ret_tally, struct kp_err *err)
{
	struct kp_tally *t = calloc(1, sizeof(*t));

	if (!t)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	t->probes = probes;
	t->ledger = kp_probes_ledger(probes);
	t->round = kp_probes_round(probes);
	t->pipeline = pipeline;
	t->cpu_cnt = kp_probes_cpu_cnt(probes);
	t->looked_ns = t->missed_ns = since_ns;
	t->cpus = calloc(t->cpu_cnt, sizeof(*t->cpus));
	if (!t->cpus) {
		free(t);
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	}
	*ret_tally = t;
	return 0;
}

/* Losses of one class as the programs saw them since the last look. */
struct seen {
	uint64_t cnt;
	uint64_t from_ns, to_ns; /* 0: not known */
};

/*
 * What a stream lost since it was last told; in_ring: what the probes lost of it so far. If that is
 * all, the time is theirs, else any since the last look.
 */
static void tell(struct kp_tally *t, uint32_t stream, unsigned cpu,
		 const uint64_t in_ring[KP_GROUP_CNT], const struct seen seen[KP_GROUP_CNT],
		 uint64_t told[KP_GROUP_CNT], uint64_t since, uint64_t now)
{
	struct kp_accounts accounts;
	struct kp_unsaid unsaid;
	uint64_t lost;

	kp_pipeline_accounts(t->pipeline, stream, &accounts);
	kp_pipeline_take_unsaid(t->pipeline, stream, &unsaid);
	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		struct kp_ev_lost ev = {.from_ns = unsaid.cnt[g] ? unsaid.from_ns : since,
					.to_ns = now,
					.lost_group = g,
					.lost_cpu = cpu,
					.lost_stream = stream};

		lost = in_ring[g] + accounts.dropped[g];
		ev.count = lost - told[g] + unsaid.cnt[g];
		told[g] = lost;
		if (seen[g].from_ns && ev.count == seen[g].cnt) {
			ev.from_ns = seen[g].from_ns;
			ev.to_ns = seen[g].to_ns;
		}
		if (ev.count)
			kp_sink_put_fixed(kp_pipeline_drain_sink(t->pipeline), KP_EV_lost, &ev,
					  sizeof(ev));
	}
}

static const struct seen nothing[KP_GROUP_CNT];

/* What the rings lost of a stream since the last look. */
static void see_ring(struct kp_tally *t, unsigned cpu, enum kp_ring kind,
		     struct seen seen[KP_GROUP_CNT])
{
	const volatile struct kp_counts *counts = kp_probes_counts(t->probes, cpu, kind);
	struct cpu_state *state = &t->cpus[cpu];
	uint64_t first, last;

	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		first = counts->first_lost_ns[g];
		last = counts->last_lost_ns[g];
		seen[g].cnt = counts->lost[g] + counts->unheard[g] - state->in_ring[kind][g];
		state->in_ring[kind][g] += seen[g].cnt;
		if (!state->is_late[kind][g] && counts->unheard[g] == state->unheard[kind][g] &&
		    counts->lost_in[g] == t->round && first >= t->looked_ns && last >= first) {
			seen[g].from_ns = first;
			seen[g].to_ns = last;
		}
		state->unheard[kind][g] = counts->unheard[g];
	}
}

static void tell_ring(struct kp_tally *t, unsigned cpu, enum kp_ring kind, uint64_t now)
{
	uint32_t stream = kp_tally_stream(cpu, kind);
	struct kp_ledger_row *row = kp_ledger_row(t->ledger, stream);
	struct cpu_state *state = &t->cpus[cpu];
	struct seen seen[KP_GROUP_CNT] = {0};
	uint64_t lost[KP_GROUP_CNT];
	struct kp_accounts accounts;
	bool has_lost = false; /* ever: the stream's blocks are to say it */

	see_ring(t, cpu, kind, seen);
	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		lost[g] = state->in_ring[kind][g] + state->lost_before[kind][g];
		has_lost |= lost[g] > 0;
	}
	tell(t, stream, cpu, lost, seen, state->lost[kind], t->looked_ns, now);
	if (has_lost)
		kp_pipeline_set_lost(t->pipeline, stream, lost);
	if (!row)
		return;
	kp_pipeline_accounts(t->pipeline, stream, &accounts);
	for (unsigned g = 0; g < KP_GROUP_CNT; g++)
		row->dropped[g] = state->lost_before[kind][g] + accounts.dropped[g];
}

/* What was lost between the look and the new round has the old one's time. */
static void begin_round(struct kp_tally *t)
{
	const volatile struct kp_counts *counts;

	t->round = kp_probes_new_round(t->probes);
	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++)
		for (int kind = 0; kind < KP_RING_CNT; kind++) {
			counts = kp_probes_counts(t->probes, cpu, (enum kp_ring)kind);
			for (unsigned g = 0; g < KP_GROUP_CNT; g++)
				t->cpus[cpu].is_late[kind][g] =
					counts->lost[g] + counts->unheard[g] !=
					t->cpus[cpu].in_ring[kind][g];
		}
}

void kp_tally_misses(struct kp_tally *t)
{
	uint64_t missed[KP_GROUP_CNT], now = kp_clock_ns(CLOCK_MONOTONIC);

	kp_probes_misses(t->probes, missed);
	tell(t, KP_LOST_ANYWHERE, KP_LOST_ANYWHERE, missed, nothing, t->missed, t->missed_ns, now);
	t->missed_ns = now;
}

void kp_tally_losses(struct kp_tally *t)
{
	uint64_t now = kp_clock_ns(CLOCK_MONOTONIC);

	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++)
		for (int kind = 0; kind < KP_RING_CNT; kind++)
			tell_ring(t, cpu, (enum kp_ring)kind, now);
	tell(t, OWN_STREAM, KP_CPU_USER, t->own_lost_before, nothing, t->own_lost, t->looked_ns,
	     now);
	begin_round(t);
	t->looked_ns = now;
	if (t->ledger->memory)
		t->ledger->memory->looked_ns = now;
}

/* Produced, stored and lost of one CPU, added to *ret. */
static void add_cpu(struct kp_tally *t, unsigned cpu, struct kp_totals *ret)
{
	const struct cpu_state *state = &t->cpus[cpu];
	const volatile struct kp_counts *counts;
	struct kp_accounts accounts;

	for (int kind = 0; kind < KP_RING_CNT; kind++) {
		counts = kp_probes_counts(t->probes, cpu, (enum kp_ring)kind);
		kp_pipeline_accounts(t->pipeline, kp_tally_stream(cpu, (enum kp_ring)kind),
				     &accounts);
		for (int g = 0; g < KP_GROUP_CNT; g++) {
			ret->produced[g] += counts->produced[g] + counts->unheard[g];
			ret->stored[g] += state->stored_before[kind][g] + accounts.stored[g];
			ret->lost[g] += counts->lost[g] + counts->unheard[g] +
					state->lost_before[kind][g] + accounts.dropped[g];
		}
	}
}

static void add_own(struct kp_tally *t, struct kp_totals *ret)
{
	struct kp_accounts accounts;
	uint64_t stored, lost;

	kp_pipeline_accounts(t->pipeline, OWN_STREAM, &accounts);
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		stored = t->own_stored_before[g] + accounts.stored[g];
		lost = t->own_lost_before[g] + accounts.dropped[g];
		ret->produced[g] += stored + lost;
		ret->stored[g] += stored;
		ret->lost[g] += lost;
	}
}

void kp_tally_sum(struct kp_tally *t, struct kp_totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++)
		add_cpu(t, cpu, ret);
	add_own(t, ret);
	for (int g = 0; g < KP_GROUP_CNT; g++) {
		ret->produced[g] += t->missed[g];
		ret->lost[g] += t->missed[g];
	}
	ret->log_len = kp_pipeline_written(t->pipeline);
}

/* What programs missed is of no CPU that is known. */
static void write_misses(struct kp_tally *t)
{
	for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
		struct kp_ev_record_stats ev = {.produced = t->missed[g],
						.lost = t->missed[g],
						.of_group = g,
						.of_cpu = KP_LOST_ANYWHERE};

		if (ev.lost)
			kp_sink_put_fixed(kp_pipeline_sink(t->pipeline), KP_EV_record_stats, &ev,
					  sizeof(ev));
	}
}

void kp_tally_write(struct kp_tally *t)
{
	write_misses(t);
	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++) {
		struct kp_totals totals = {0};

		add_cpu(t, cpu, &totals);
		for (unsigned g = 0; g < KP_GROUP_CNT; g++) {
			struct kp_ev_record_stats ev = {.produced = totals.produced[g],
							.stored = totals.stored[g],
							.lost = totals.lost[g],
							.of_group = g,
							.of_cpu = cpu};

			if (ev.produced)
				kp_sink_put_fixed(kp_pipeline_sink(t->pipeline), KP_EV_record_stats,
						  &ev, sizeof(ev));
		}
	}
}

void kp_tally_irq(struct kp_tally *t)
{
	for (unsigned cpu = 0; cpu < t->cpu_cnt; cpu++) {
		const volatile struct kp_irq_sum *sums = kp_probes_irq_sums(t->probes, cpu);

		for (unsigned i = 0; i < KP_IRQ_SUM_CNT; i++) {
			struct kp_ev_irq_sum ev = {
				.hdr = {.time_ns = kp_clock_ns(CLOCK_MONOTONIC),
					.size = sizeof(ev),
					.kind = KP_EV_irq_sum,
					.cpu = (uint16_t)cpu},
				.count = sums[i].count,
				.total_ns = sums[i].total_ns,
				.vector = i == KP_IRQ_SUM_DEVICE ? UINT32_MAX : i,
			};

			if (ev.count == t->cpus[cpu].irq_cnt[i])
				continue;
			t->cpus[cpu].irq_cnt[i] = ev.count;
			/* By the sink itself: the header names the CPU that is meant. */
			kp_pipeline_drain_sink(t->pipeline)
				->put(kp_pipeline_drain_sink(t->pipeline)->arg, &ev.hdr);
		}
	}
}

void kp_tally_free(struct kp_tally *t)
{
	if (!t)
		return;
	free(t->cpus);
	free(t);
}
