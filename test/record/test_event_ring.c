/* SPDX-License-Identifier: MIT
 * The reading side of a ring of events: what is complete, in order, over the ends of pieces and of
 * the ring, and nothing left behind that looks like an event.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/event_ring.h"
#include "record/probes.h"

#define PIECES 2
#define EVENT_LEN 56u

static struct kp_ring_ends ends;
static struct kp_event_ring ring;
static kp_u64 seen, wrong;

static void begin(void)
{
	ends = (struct kp_ring_ends){0};
	ring = (struct kp_event_ring){
		.pieces = calloc(PIECES, sizeof(struct kp_piece)),
		.ends = &ends,
		.len = (size_t)PIECES * KP_PIECE_LEN,
	};
	seen = wrong = 0;
}

static void end(void)
{
	free(ring.pieces);
}

TestSuite(event_ring, .init = begin, .fini = end);

static struct kp_hdr *place(kp_u64 at)
{
	return (void *)(ring.pieces[at / KP_PIECE_LEN % PIECES].data + at % KP_PIECE_LEN);
}

/* As a program does it, but that nobody else does. */
static struct kp_hdr *take(kp_u32 len)
{
	struct kp_hdr *event = NULL;

	if (ends.head + len - ends.tail <= ring.len)
		event = place(ends.head);
	if (event) {
		cr_assert_eq(event->size, 0, "something is left at %llu", ends.head);
		event->kind = KP_EV_sched_waking;
		ends.head += len;
	}
	return event;
}

static bool put(kp_u64 number)
{
	struct kp_hdr *event = take(EVENT_LEN);

	if (!event)
		return false;
	event->time_ns = number;
	event->size = EVENT_LEN;
	return true;
}

static void look(const struct kp_hdr *event, void *arg)
{
	(void)arg;
	wrong += event->time_ns != seen || event->size != EVENT_LEN;
	seen++;
}

Test(event_ring, gives_each_event_once_over_many_rounds)
{
	kp_u64 made = 0;

	while (made < 100000) {
		while (put(made))
			made++;
		cr_assert_eq(kp_event_ring_drain(&ring, ring.len, look, NULL),
			     ring.len / EVENT_LEN * EVENT_LEN);
		cr_assert_eq(seen, made);
		cr_assert_eq(wrong, 0);
	}
	for (size_t i = 0; i < PIECES * sizeof(struct kp_piece); i++)
		cr_assert_eq(((unsigned char *)ring.pieces)[i], 0);
}

Test(event_ring, stops_at_an_event_that_is_not_complete)
{
	struct kp_hdr *unfinished;

	put(0);
	unfinished = take(EVENT_LEN);
	put(2);
	cr_expect_eq(kp_event_ring_drain(&ring, ring.len, look, NULL), EVENT_LEN);
	cr_expect_eq(kp_event_ring_drain(&ring, ring.len, look, NULL), 0);
	unfinished->time_ns = 1;
	unfinished->size = EVENT_LEN;
	cr_expect_eq(kp_event_ring_drain(&ring, ring.len, look, NULL), 2 * EVENT_LEN);
	cr_expect_eq(seen, 3);
	cr_expect_eq(wrong, 0);
}

Test(event_ring, reads_no_more_than_was_asked_for_and_gives_its_room_back)
{
	kp_u64 made = 0;

	while (put(made))
		made++;
	cr_expect_eq(kp_event_ring_drain(&ring, 10 * EVENT_LEN - 1, look, NULL), 10 * EVENT_LEN);
	for (int i = 0; i < 10; i++)
		cr_expect(put(made++));
	kp_event_ring_drain(&ring, ring.len, look, NULL);
	cr_expect_eq(seen, made);
	cr_expect_eq(wrong, 0);
}

static void count_event(const struct kp_hdr *event, void *arg)
{
	(void)event;
	++*(kp_u64 *)arg;
}

/* Reads all rings; how much was there. */
static size_t empty_rings(struct kp_probes *probes, kp_u64 *cnt)
{
	struct kp_event_ring *events;
	size_t len = 0;

	for (unsigned i = 0; i < kp_probes_ring_cnt(probes); i++) {
		events = kp_probes_event_ring(probes, i);
		len += kp_event_ring_drain(events, events->len, count_event, cnt);
		kp_ring_drain(kp_probes_ring(probes, i, KP_RING_LIFE), SIZE_MAX, count_event, cnt);
	}
	return len;
}

/* The kernel's own part: events alone wake nobody, a ring filled to a quarter does. */
Test(event_ring, wakes_its_reader_when_it_fills)
{
	struct kp_probes_options options = {.pins_fd = -1,
					    .memory = kp_memory_share(0, false),
					    .groups = 1u << KP_GROUP_syscall | 1u << KP_GROUP_sched,
					    .ring_len = 1u << 20,
					    .irq_threshold_ns = 1000000};
	struct pollfd poll_fd = {.events = POLLIN};
	struct kp_probes *probes;
	struct kp_err err = {""};
	kp_u64 cnt = 0;

	if (geteuid() != 0 || access("/sys/kernel/btf/vmlinux", R_OK))
		cr_skip_test("needs root and a kernel with BTF");
	cr_assert_eq(kp_probes_load(&options, &probes, &err), 0, "%s", err.text);
	cr_assert_eq(kp_probes_attach(probes, &err), 0, "%s", err.text);
	poll_fd.fd = kp_probes_wake_fd(probes);
	empty_rings(probes, &cnt);
	kp_probes_take_wakes(probes);
	cr_expect_eq(poll(&poll_fd, 1, 0), 0, "woken with nothing there");
	/* The recorder leaves its own calls out: another process makes them. */
	if (!fork()) {
		for (int i = 0; i < 20000; i++)
			syscall(SYS_getppid);
		_exit(0);
	}
	wait(NULL);
	cr_expect_eq(poll(&poll_fd, 1, 1000), 1, "not woken");
	kp_probes_take_wakes(probes);
	cr_expect_eq(poll(&poll_fd, 1, 0), 0, "woken twice");
	cr_expect_geq(empty_rings(probes, &cnt), options.ring_len / 4);
	kp_probes_detach(probes);
	kp_probes_free(probes);
}
