/* SPDX-License-Identifier: MIT
 * The reading side of a BPF ring buffer; see ring.h.
 */
#include "record/ring.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

int kp_ring_open(struct kp_ring_reader *ring, const char *name, size_t len, struct kp_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	*ring = (struct kp_ring_reader){.map_fd = -1, .len = len};
	ring->map_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, name, 0, 0, (uint32_t)len, NULL);
	if (ring->map_fd < 0)
		return kp_err_sys(err, -errno, "cannot make a ring buffer of %zu bytes", len);
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

size_t kp_ring_drain(struct kp_ring_reader *ring, size_t max_len,
		     void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	const unsigned char *data = ring->producer + sysconf(_SC_PAGESIZE);
	unsigned long *consumer = (unsigned long *)ring->consumer;
	unsigned long begin = *consumer, at = begin, end;
	uint32_t head, len;

	end = __atomic_load_n((unsigned long *)ring->producer, __ATOMIC_ACQUIRE);
	while (at < end && at - begin < max_len) {
		head = __atomic_load_n((uint32_t *)(data + (at & (ring->len - 1))),
				       __ATOMIC_ACQUIRE);
		if (head & BPF_RINGBUF_BUSY_BIT)
			break;
		len = head & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (!(head & BPF_RINGBUF_DISCARD_BIT))
			tell(data + (at & (ring->len - 1)) + BPF_RINGBUF_HDR_SZ, len, fn, arg);
		at += KP_ALIGN8(len + BPF_RINGBUF_HDR_SZ);
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
	*ring = (struct kp_ring_reader){.map_fd = -1};
}
