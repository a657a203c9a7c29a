/* SPDX-License-Identifier: MIT
 * What the events of a run add up to; see verify_in.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/event.h"
#include "log/verify_in.h"

#define GROUP_BITS 8
#define BOOTS_MAX 1024
_Static_assert(KP_GROUP_CNT < 1 << GROUP_BITS, "more groups than a key has room for");

static uint64_t key_of(uint32_t cpu, uint32_t group)
{
	return (uint64_t)cpu << GROUP_BITS | (group & ((1u << GROUP_BITS) - 1));
}

static const char *group_name(uint32_t group)
{
	const char *name = kp_group_name(group);

	return name ? name : "unknown";
}

static int add(struct kp_map *map, uint32_t cpu, uint32_t group, uint64_t cnt)
{
	uint64_t *sum = kp_map_upsert(map, key_of(cpu, group), 0);

	if (!sum)
		return -ENOMEM;
	*sum += cnt;
	return 0;
}

/* The CPU whose accounts have a stream's events; false: nobody's. */
static bool cpu_of(uint32_t stream, uint32_t *ret_cpu)
{
	*ret_cpu = stream & ~(KP_STREAM_BULK | KP_STREAM_LIFE | KP_STREAM_SELECTED);
	return stream < KP_STREAM_SNAPSHOT;
}

static int take_lost(struct kp_verify *v, const struct kp_ev_lost *lost)
{
	v->result->lost += lost->count;
	/* The recorder's own have no accounts that could be written behind them. */
	if (lost->lost_stream == KP_CPU_USER)
		return 0;
	return add(&v->sums.lost_told, lost->lost_cpu, lost->lost_group, lost->count);
}

static int take_stats(struct kp_verify *v, const struct kp_ev_record_stats *stats)
{
	int r;

	v->sums.has_stats = true;
	if (stats->produced != stats->stored + stats->lost)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL,
			       "its accounts of CPU %u and class %s do not add up: %" PRIu64
			       " produced, %" PRIu64 " stored, %" PRIu64 " lost",
			       stats->of_cpu, group_name(stats->of_group), stats->produced,
			       stats->stored, stats->lost);
	r = add(&v->sums.stored, stats->of_cpu, stats->of_group, stats->stored);
	return r < 0 ? r : add(&v->sums.lost, stats->of_cpu, stats->of_group, stats->lost);
}

/* A stranger's log may name any number of boots. */
static int add_retained(struct kp_verify *v, const struct kp_verify_hole *hole)
{
	struct kp_verify_hole *known;

	for (uint32_t i = 0; i < v->retained.cnt; i++) {
		known = &v->retained.at[i];
		if (strcmp(known->boot, hole->boot) != 0)
			continue;
		known->to = hole->to > known->to ? hole->to : known->to;
		return 0;
	}
	return v->retained.cnt < BOOTS_MAX ? KP_VEC_PUSH(&v->retained, *hole) : 0;
}

/* What retention says it removed: all up to that, but for what is pinned. */
static int take_retained(struct kp_verify *v, const struct kp_ev_retain *event)
{
	const char *name = (const char *)KP_TAIL(event);
	const char *slash = memchr(name, '/', event->data_len);
	char segment[KP_SEG_NAME_MAX] = "";
	struct kp_verify_hole hole;
	size_t boot_len, len;

	if (!slash)
		return 0;
	boot_len = (size_t)(slash - name);
	len = event->data_len - boot_len - 1;
	if (boot_len >= sizeof(hole.boot) || len >= sizeof(segment))
		return 0;
	hole = (struct kp_verify_hole){.from = 1};
	memcpy(hole.boot, name, boot_len);
	memcpy(segment, slash + 1, len);
	return kp_seg_parse_name(segment, &hole.to) ? add_retained(v, &hole) : 0;
}

static int take_event(struct kp_verify *v, const struct kp_hdr *event)
{
	switch (event->kind) {
	case KP_EV_lost:
		return take_lost(v, (const struct kp_ev_lost *)event);
	case KP_EV_record_stats:
		return take_stats(v, (const struct kp_ev_record_stats *)event);
	case KP_EV_retain:
		return take_retained(v, (const struct kp_ev_retain *)event);
	case KP_EV_file_object:
		return kp_object_set_add(&v->objects, (const struct kp_ev_file_object *)event);
	default:
		return 0;
	}
}

static int take_events(struct kp_verify *v, uint32_t stream)
{
	const struct kp_hdr *event;
	uint32_t cpu;
	int r = 0;

	for (size_t at = 0; at < v->events.len && r >= 0; at += event->size) {
		event = (const struct kp_hdr *)(v->events.data + at);
		if (cpu_of(stream, &cpu))
			r = add(&v->sums.counted, cpu, kp_event_get(event->kind)->group, 1);
		if (r >= 0)
			r = take_event(v, event);
	}
	return r;
}

int kp_verify_add_block(struct kp_verify *v, const union kp_block_head *head,
			const unsigned char *payload)
{
	const struct kp_block_hdr *hdr = &head->hdr;
	struct kp_decode decode = {.codec = hdr->codec,
				   .raw_len = hdr->raw_len,
				   .event_cnt = hdr->event_cnt,
				   .first_ns = hdr->first_ns,
				   .last_ns = hdr->last_ns,
				   .kinds = hdr->kinds};
	struct kp_err err = {""};
	int r = kp_decode(v->decoder, v->segment->schema, &decode, payload, hdr->stored_len,
			  &v->events, &err);

	v->result->block_cnt++;
	v->result->event_cnt += hdr->event_cnt;
	for (unsigned i = 0; i < hdr->lost_cnt; i++)
		if (head->lost[i] && v->result->worst < KP_VERIFY_LOST)
			v->result->worst = KP_VERIFY_LOST;
	if (r == -EBADMSG) {
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "block %" PRIu64 " does not decode: %s",
			       (uint64_t)hdr->sequence, err.text);
		return 0;
	}
	/* Whose groups are not known here cannot be counted. */
	v->sums.is_whole &= !decode.unknown_cnt;
	return r < 0 ? r : take_events(v, hdr->stream);
}

/* --- a run as a whole --- */

static void forget(struct kp_verify_sums *sums)
{
	kp_map_done(&sums->counted);
	kp_map_done(&sums->stored);
	kp_map_done(&sums->lost);
	kp_map_done(&sums->lost_told);
	memset(sums, 0, sizeof(*sums));
}

void kp_verify_begin_run(struct kp_verify *v, bool is_whole)
{
	forget(&v->sums);
	v->sums.is_whole = is_whole;
}

static uint64_t get(const struct kp_map *map, uint64_t key)
{
	const uint64_t *value = kp_map_get(map, key);

	return value ? *value : 0;
}

/* Tells each key under which the two have not the same. */
static void compare(struct kp_verify *v, const struct kp_map *said, const struct kp_map *is,
		    const char *what)
{
	const struct kp_map_slot *slot;

	for (size_t i = 0; i < said->cap; i++) {
		slot = &said->slots[i];
		if (!slot->used || slot->value == get(is, slot->key))
			continue;
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL,
			       "the accounts of its run say that %" PRIu64
			       " events of CPU %u and class %s were %s, and it has %" PRIu64,
			       slot->value, (uint32_t)(slot->key >> GROUP_BITS),
			       group_name(slot->key & ((1u << GROUP_BITS) - 1)), what,
			       get(is, slot->key));
	}
}

void kp_verify_end_run(struct kp_verify *v)
{
	struct kp_verify_sums *sums = &v->sums;

	if (sums->is_whole && sums->has_stats) {
		compare(v, &sums->stored, &sums->counted, "stored");
		compare(v, &sums->lost, &sums->lost_told, "lost");
	}
	forget(sums);
}
