/* SPDX-License-Identifier: MIT
 * Rings and the CPUs that share them; see rings.h.
 */
#include "record/rings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_LEN_MIN KP_PIECE_LEN
#define LIFE_RING_LEN (256u * 1024u)    /* some 700 processes from fork to exit */
#define PAYLOAD_RING_MIN (256u * 1024u) /* a few of the largest events */
#define WAKES_AT_ONCE 64
/* Rather than smaller rings CPUs share one. */
#define SHARED_RING_MIN (1u << 20)
/* A payload ring is this many times an event ring, within the most of all. */
#define PAYLOAD_RING_FACTOR 4

/* --- the plan --- */

static uint64_t power_of_two(uint64_t len)
{
	uint64_t n = RING_LEN_MIN;

	while (n < len && n < 1u << 30)
		n *= 2;
	return n;
}

/* The largest power of two that is no longer. */
static uint64_t power_within(uint64_t len)
{
	uint64_t n = power_of_two(len);

	return n > len && n > RING_LEN_MIN ? n / 2 : n;
}

/* A ring of events of that length, with the room behind its pieces, and the one for life beside. */
static uint64_t with_life(uint64_t event_len)
{
	return event_len / KP_PIECE_LEN * sizeof(struct kp_piece) + LIFE_RING_LEN;
}

static unsigned at_most(unsigned cnt, uint64_t max)
{
	return cnt > max && max ? (unsigned)max : max ? cnt : 1;
}

struct kp_ring_plan kp_ring_plan(unsigned online, uint64_t event_len,
				 const struct kp_memory *memory)
{
	struct kp_ring_plan plan = {.cnt = online, .event_len = power_of_two(event_len)};

	while (plan.event_len > SHARED_RING_MIN &&
	       plan.cnt * with_life(plan.event_len) > memory->events)
		plan.event_len /= 2;
	plan.cnt = at_most(plan.cnt, memory->events / with_life(plan.event_len));
	if (memory->payloads)
		plan.cnt = at_most(plan.cnt, memory->payloads / PAYLOAD_RING_MIN);
	plan.payload_len = power_of_two(plan.event_len * PAYLOAD_RING_FACTOR);
	if (plan.payload_len > memory->payloads / plan.cnt)
		plan.payload_len = power_within(memory->payloads / plan.cnt);
	if (plan.payload_len < PAYLOAD_RING_MIN)
		plan.payload_len = PAYLOAD_RING_MIN;
	plan.bulk_len = memory->bulk;
	return plan;
}

unsigned kp_ring_of(const struct kp_ring_plan *plan, unsigned cpu, unsigned rank, bool is_online)
{
	return (is_online ? rank : cpu) % plan->cnt;
}

/* --- the CPUs --- */

static bool is_online(unsigned cpu)
{
	char path[64], digit = '1';
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	file = fopen(path, "re");
	if (!file) { /* a CPU that cannot be switched off has no such file */
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", cpu);
		return !access(path, F_OK);
	}
	if (fread(&digit, 1, 1, file) != 1)
		digit = '0';
	fclose(file);
	return digit == '1';
}

/* Which ring each CPU has, of so many as the plan says. */
static void assign(struct kp_rings *rings, unsigned cpu_cnt)
{
	unsigned rank = 0;
	bool online;

	for (unsigned cpu = 0; cpu < cpu_cnt; cpu++) {
		online = is_online(cpu);
		rings->of[cpu] = (uint16_t)kp_ring_of(&rings->plan, cpu, rank, online);
		rank += online;
	}
}

int kp_rings_init(struct kp_rings *rings, unsigned cpu_cnt, uint64_t event_len,
		  const struct kp_memory *memory, struct kp_err *err)
{
	unsigned online = 0;

	for (unsigned cpu = 0; cpu < cpu_cnt; cpu++)
		online += is_online(cpu);
	rings->plan = kp_ring_plan(online ? online : 1, event_len, memory);
	rings->bulk.map_fd = rings->wake_fd = -1;
	rings->at = calloc(rings->plan.cnt, sizeof(*rings->at));
	if (!rings->at)
		return kp_err_sys(err, -ENOMEM, "cannot make rings");
	for (unsigned i = 0; i < rings->plan.cnt; i++)
		for (int kind = 0; kind < KP_RING_CNT; kind++)
			rings->at[i][kind].map_fd = -1;
	rings->events = calloc(rings->plan.cnt, sizeof(*rings->events));
	if (!rings->events)
		return kp_err_sys(err, -ENOMEM, "cannot make rings");
	assign(rings, cpu_cnt);
	return 0;
}

uint32_t kp_rings_piece_cnt(const struct kp_rings *rings)
{
	return (uint32_t)(rings->plan.cnt * rings->plan.event_len / KP_PIECE_LEN);
}

/* --- making them --- */

static struct kp_ring_reader *place_of(struct kp_rings *rings, unsigned index, enum kp_ring kind)
{
	return kind == KP_RING_BULK ? &rings->bulk : &rings->at[index][kind];
}

static int open_ring(struct kp_rings *rings, unsigned index, enum kp_ring kind,
		     const struct kp_rings_kept *kept, struct kp_err *err)
{
	static const char *const names[KP_RING_CNT] = {NULL, "kp_payload", "kp_life", "kp_bulk"};
	const uint64_t lens[KP_RING_CNT] = {0, rings->plan.payload_len, LIFE_RING_LEN,
					    rings->plan.bulk_len};
	struct kp_ring_reader *ring = place_of(rings, index, kind);
	struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
	bool is_life = kind == KP_RING_LIFE;
	int r = is_life && kept->life ? kept->life[index]
				      : kp_ring_make(names[kind], lens[kind], err);

	if (r >= 0)
		r = kp_ring_open(ring, r, lens[kind], err);
	if (r >= 0 && is_life && kept->ledger->memory)
		r = kp_ring_account(ring, kept->ledger, index, kind, err);
	if (r >= 0 && epoll_ctl(rings->wake_fd, EPOLL_CTL_ADD, ring->map_fd, &edge) < 0)
		r = kp_err_sys(err, -errno, "cannot watch a ring buffer");
	return r;
}

/* Gives a CPU its ring, which is made if it is the first there. */
static int give(struct kp_rings *rings, unsigned cpu, enum kp_ring kind, int map,
		const struct kp_rings_kept *kept, struct kp_err *err)
{
	struct kp_ring_reader *ring = place_of(rings, rings->of[cpu], kind);
	int r = 0;

	if (ring->map_fd < 0)
		r = open_ring(rings, rings->of[cpu], kind, kept, err);
	if (r < 0 || kept->life)
		return r;
	if (bpf_map_update_elem(map, &cpu, &ring->map_fd, BPF_ANY) < 0)
		return kp_err_sys(err, -errno, "cannot give CPU %u its ring buffer", cpu);
	return 0;
}

static size_t pieces_len(const struct kp_rings *rings)
{
	return kp_rings_piece_cnt(rings) * sizeof(struct kp_piece);
}

static int map_events(struct kp_rings *rings, int map, struct kp_ring_ends *ends,
		      const struct kp_ledger *ledger, struct kp_err *err)
{
	size_t len = pieces_len(rings), cnt = rings->plan.event_len / KP_PIECE_LEN;
	struct kp_piece *at;

	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (at == MAP_FAILED)
		return kp_err_sys(err, -errno, "cannot map %zu bytes of rings", len);
	rings->pieces = at;
	madvise(at, len, MADV_DONTFORK); /* as in ring.c */
	for (unsigned i = 0; i < rings->plan.cnt; i++)
		rings->events[i] = (struct kp_event_ring){.pieces = at + i * cnt,
							  .ends = &ends[i],
							  .len = rings->plan.event_len,
							  .ledger = *ledger,
							  .index = i};
	return 0;
}

int kp_rings_open(struct kp_rings *rings, unsigned cpu_cnt, bool select,
		  const int maps[KP_RING_CNT], struct kp_ring_ends *ends,
		  const struct kp_rings_kept *kept, struct kp_err *err)
{
	int r = map_events(rings, maps[KP_RING_EVENTS], ends, kept->ledger, err);

	if (r < 0)
		return r;
	rings->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rings->wake_fd < 0)
		return kp_err_sys(err, -errno, "cannot watch ring buffers");
	for (unsigned cpu = 0; cpu < cpu_cnt; cpu++)
		for (int kind = KP_RING_EVENTS + 1; kind < KP_RING_CNT && r >= 0; kind++)
			if (select || kind == KP_RING_LIFE)
				r = give(rings, cpu, (enum kp_ring)kind, maps[kind], kept, err);
	return r;
}

void kp_rings_settle(struct kp_rings *rings)
{
	for (unsigned i = 0; i < rings->plan.cnt; i++) {
		kp_event_ring_settle(&rings->events[i]);
		if (rings->at[i][KP_RING_LIFE].map_fd >= 0)
			kp_ring_settle(&rings->at[i][KP_RING_LIFE]);
	}
}

struct kp_ring_reader *kp_rings_get(struct kp_rings *rings, unsigned index, enum kp_ring kind)
{
	struct kp_ring_reader *ring = place_of(rings, index, kind);

	return ring->map_fd < 0 ? NULL : ring;
}

void kp_rings_take_wakes(const struct kp_rings *rings)
{
	struct epoll_event woken[WAKES_AT_ONCE];

	while (epoll_wait(rings->wake_fd, woken, WAKES_AT_ONCE, 0) == WAKES_AT_ONCE)
		;
}

void kp_rings_close(struct kp_rings *rings)
{
	if (!rings->at)
		return;
	for (unsigned i = 0; i < rings->plan.cnt; i++)
		for (int kind = 0; kind < KP_RING_CNT; kind++)
			kp_ring_close(&rings->at[i][kind]);
	kp_ring_close(&rings->bulk);
	if (rings->wake_fd >= 0)
		close(rings->wake_fd);
	if (rings->pieces)
		munmap(rings->pieces, pieces_len(rings));
	free(rings->events);
	free(rings->at);
}
