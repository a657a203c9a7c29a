/* SPDX-License-Identifier: MIT
 * Accounts that outlive their recorder; see ledger.h. Others never see this memory but after a
 * kill, when all that was stored is there: only the compiler must keep the order.
 */
#include "record/ledger.h"

#include <string.h>

#include "event/event.h"
#include "record/tally.h"

#define OTHER_ROWS 2 /* the recorder's own stream, and no known CPU */
#define IN_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

static uint32_t row_cnt(unsigned cpu_cnt)
{
	return cpu_cnt * KP_RING_CNT + OTHER_ROWS;
}

size_t kp_ledger_len(unsigned cpu_cnt)
{
	return sizeof(struct kp_ledger_memory) + row_cnt(cpu_cnt) * sizeof(struct kp_ledger_row);
}

void kp_ledger_init(struct kp_ledger *ledger, void *memory, unsigned cpu_cnt)
{
	*ledger = (struct kp_ledger){memory, row_cnt(cpu_cnt)};
}

struct kp_ledger_row *kp_ledger_row(const struct kp_ledger *ledger, uint32_t stream)
{
	uint32_t index = ledger->row_cnt;

	if (!ledger->memory)
		return NULL;
	if (stream == KP_LOST_ANYWHERE)
		index = ledger->row_cnt - 1;
	else if (stream == KP_CPU_USER)
		index = ledger->row_cnt - 2;
	else if (stream < KP_STREAM_SNAPSHOT)
		index = kp_tally_cpu(stream) * KP_RING_CNT + kp_tally_ring(stream);
	return index < ledger->row_cnt ? &ledger->memory->rows[index] : NULL;
}

/* --- out of the rings --- */

void kp_taking_add(struct kp_taking *taking, const struct kp_hdr *event)
{
	taking->cpu = event->cpu;
	taking->last_ns = event->time_ns;
	taking->cnt[kp_event_get(event->kind)->group]++;
}

void kp_ledger_take(struct kp_ledger *ledger, unsigned index, enum kp_ring kind,
		    const struct kp_taking *taking, uint64_t to)
{
	const struct kp_ledger_row *row;
	struct kp_take *take;

	if (!ledger->memory)
		return;
	take = &ledger->memory->takes[index][kind];
	take->to = 0;
	IN_ORDER();
	take->row = taking->cpu * KP_RING_CNT + kind;
	row = &ledger->memory->rows[take->row];
	take->taken_ns = taking->last_ns;
	for (unsigned g = 0; g < KP_GROUP_CNT; g++)
		take->taken[g] = row->taken[g] + taking->cnt[g];
	IN_ORDER();
	take->to = to;
	IN_ORDER();
}

void kp_ledger_taken(struct kp_ledger *ledger, unsigned index, enum kp_ring kind)
{
	const struct kp_take *take;
	struct kp_ledger_row *row;

	if (!ledger->memory)
		return;
	IN_ORDER();
	take = &ledger->memory->takes[index][kind];
	row = &ledger->memory->rows[take->row];
	memcpy(row->taken, take->taken, sizeof(row->taken));
	row->taken_ns = take->taken_ns;
}

/* --- into the log --- */

/* What the block's `lost` events tell. */
static void add_told(struct kp_ledger *ledger, const struct kp_ev_lost *lost)
{
	struct kp_ledger_write *write = &ledger->memory->write;
	struct kp_ledger_row *row = kp_ledger_row(ledger, lost->lost_stream);
	struct kp_ledger_told *told = write->told;
	uint32_t index;

	if (!row)
		return;
	index = (uint32_t)(row - ledger->memory->rows);
	while (told < write->told + write->told_cnt &&
	       (told->row != index || told->group != lost->lost_group))
		told++;
	if (told == write->told + write->told_cnt) {
		*told = (struct kp_ledger_told){index, lost->lost_group,
						row->told[lost->lost_group]};
		write->told_cnt++;
	}
	told->told += lost->count;
}

void kp_ledger_begin_write(struct kp_ledger *ledger, uint32_t stream, const void *events,
			   uint32_t len)
{
	const struct kp_ledger_row *row = kp_ledger_row(ledger, stream);
	struct kp_ledger_write *write;
	const struct kp_hdr *event;

	if (!row)
		return;
	write = &ledger->memory->write;
	ledger->memory->place = (struct kp_log_place){0};
	write->row = (uint64_t)(row - ledger->memory->rows);
	write->told_cnt = 0;
	memcpy(write->stored, row->stored, sizeof(row->stored));
	for (uint32_t at = 0; at < len; at += event->size) {
		event = (const void *)((const char *)events + at);
		write->stored[kp_event_get(event->kind)->group]++;
		write->stored_ns = event->time_ns;
		if (event->kind == KP_EV_lost)
			add_told(ledger, (const struct kp_ev_lost *)event);
	}
	IN_ORDER();
	write->is_begun = 1;
	IN_ORDER();
}

static void apply_write(struct kp_ledger *ledger)
{
	const struct kp_ledger_write *write = &ledger->memory->write;
	struct kp_ledger_row *row = &ledger->memory->rows[write->row];

	memcpy(row->stored, write->stored, sizeof(row->stored));
	row->stored_ns = write->stored_ns;
	for (uint64_t i = 0; i < write->told_cnt; i++)
		ledger->memory->rows[write->told[i].row].told[write->told[i].group] =
			write->told[i].told;
}

void kp_ledger_end_write(struct kp_ledger *ledger, bool is_written)
{
	if (!ledger->memory || !ledger->memory->write.is_begun)
		return;
	if (is_written)
		apply_write(ledger);
	IN_ORDER();
	ledger->memory->write.is_begun = 0;
	IN_ORDER();
}

struct kp_log_place *kp_ledger_place(struct kp_ledger *ledger)
{
	return ledger->memory ? &ledger->memory->place : NULL;
}

void kp_ledger_settle_write(struct kp_ledger *ledger, const struct kp_log_place *end)
{
	const struct kp_log_place *place = &ledger->memory->place;

	kp_ledger_end_write(ledger, place->segment && (place->segment < end->segment ||
						       (place->segment == end->segment &&
							place->block < end->block)));
}
