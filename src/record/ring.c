/* SPDX-License-Identifier: MIT
 * The reading side of a BPF ring buffer; see ring.h.
 */
#include "record/ring.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int kp_ring_make(const char *name, size_t len, struct kp_err *err)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, name, 0, 0, (uint32_t)len, NULL);

	return fd < 0 ? kp_err_sys(err, -errno, "cannot make a ring buffer of %zu bytes", len) : fd;
}

int kp_ring_open(struct kp_ring_reader *ring, int map_fd, size_t len, struct kp_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	*ring = (struct kp_ring_reader){.map_fd = map_fd, .len = len};
	at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->map_fd, 0);
	if (at != MAP_FAILED) {
		ring->consumer = at;
		at = mmap(NULL, page + 2 * len, PROT_READ, MAP_SHARED, ring->map_fd, (off_t)page);
	}
	if (at == MAP_FAILED) {
		int r = kp_err_sys(err, -errno, "cannot map a ring buffer of %zu bytes", len);

		kp_ring_close(ring);
		return r;
	}
	ring->producer = at;
	/* The map lives as long as anybody has it: not as long as what we run. */
	madvise(ring->consumer, page, MADV_DONTFORK);
	madvise(ring->producer, page + 2 * len, MADV_DONTFORK);
	return 0;
}

int kp_ring_account(struct kp_ring_reader *ring, const struct kp_ledger *ledger, unsigned index,
		    enum kp_ring kind, struct kp_err *err)
{
	ring->copy = malloc(ring->len);
	if (!ring->copy)
		return kp_err_sys(err, -ENOMEM, "cannot make rings");
	ring->ledger = *ledger;
	ring->index = index;
	ring->kind = kind;
	return 0;
}

void kp_ring_settle(struct kp_ring_reader *ring)
{
	const struct kp_take *take = &ring->ledger.memory->takes[ring->index][ring->kind];

	if (!take->to)
		return;
	if (take->to > *(unsigned long *)ring->consumer)
		__atomic_store_n((unsigned long *)ring->consumer, take->to, __ATOMIC_RELEASE);
	kp_ledger_taken(&ring->ledger, ring->index, ring->kind);
}

/* A piece of the ring holds one event or several, and zeros behind the last one if a program asked
 * for more than it needed. */
static void tell(const unsigned char *piece, uint32_t len,
		 void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	const struct kp_hdr *event;

	for (uint32_t at = 0; at < len; at += event->size) {
		event = (const void *)(piece + at);
		if (at && !event->size)
			return;
		assert(event->size >= sizeof(*event) && event->size <= len - at);
		fn(event, arg);
	}
}

static void add_taking(const struct kp_hdr *event, void *arg)
{
	kp_taking_add(arg, event);
}

/* Takes a piece, which ends at `to`, out of the ring, and only then tells it, as in event_ring.c.
 */
static void take(struct kp_ring_reader *ring, const unsigned char *piece, uint32_t len,
		 unsigned long to, void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	struct kp_taking taking = {0};

	memcpy(ring->copy, piece, len);
	tell(ring->copy, len, add_taking, &taking);
	kp_ledger_take(&ring->ledger, ring->index, ring->kind, &taking, to);
	__atomic_store_n((unsigned long *)ring->consumer, to, __ATOMIC_RELEASE);
	kp_ledger_taken(&ring->ledger, ring->index, ring->kind);
	tell(ring->copy, len, fn, arg);
}

size_t kp_ring_drain(struct kp_ring_reader *ring, size_t max_len,
		     void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	const unsigned char *data = ring->producer + sysconf(_SC_PAGESIZE);
	unsigned long *consumer = (unsigned long *)ring->consumer;
	unsigned long begin = *consumer, at = begin, end;
	const unsigned char *piece;
	uint32_t head, len;

	end = __atomic_load_n((unsigned long *)ring->producer, __ATOMIC_ACQUIRE);
	while (at < end && at - begin < max_len) {
		head = __atomic_load_n((uint32_t *)(data + (at & (ring->len - 1))),
				       __ATOMIC_ACQUIRE);
		if (head & BPF_RINGBUF_BUSY_BIT)
			break;
		len = head & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		piece = data + (at & (ring->len - 1)) + BPF_RINGBUF_HDR_SZ;
		at += KP_ALIGN8(len + BPF_RINGBUF_HDR_SZ);
		if (!(head & BPF_RINGBUF_DISCARD_BIT) && ring->copy)
			take(ring, piece, len, at, fn, arg);
		else if (!(head & BPF_RINGBUF_DISCARD_BIT))
			tell(piece, len, fn, arg);
		/* In steps, so that the kernel gets room while the rest is still being read. */
		if (at - *consumer >= ring->len / 16)
			__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
	}
	__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
	return at - begin;
}

size_t kp_ring_fill(const struct kp_ring_reader *ring)
{
	return __atomic_load_n((unsigned long *)ring->producer, __ATOMIC_ACQUIRE) -
	       *(unsigned long *)ring->consumer;
}

void kp_ring_close(struct kp_ring_reader *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (ring->producer)
		munmap(ring->producer, page + 2 * ring->len);
	if (ring->consumer)
		munmap(ring->consumer, page);
	if (ring->map_fd >= 0)
		close(ring->map_fd);
	free(ring->copy);
	*ring = (struct kp_ring_reader){.map_fd = -1};
}
