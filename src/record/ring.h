/* SPDX-License-Identifier: MIT
 *
 * Reads one BPF ring buffer through its mapped pages (Documentation/bpf/ringbuf.rst): without a
 * system call, and no further than the caller wants.
 */
#ifndef KP_RECORD_RING_H
#define KP_RECORD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/ledger.h"

struct kp_ring_reader {
	int map_fd; /* -1: not open */
	size_t len;
	unsigned char *consumer; /* page with the reader's position */
	unsigned char *producer; /* page with the kernel's position, then the data, mapped twice */
	/* If it is accounted for: */
	struct kp_ledger ledger;
	unsigned index; /* there */
	enum kp_ring kind;
	unsigned char *copy; /* of what was taken and is not told yet */
};

/* Makes the map of a ring of len bytes (a power of two, whole pages): its descriptor or -errno. */
int kp_ring_make(const char *name, size_t len, struct kp_err *err);

/* Takes over the map's descriptor, also on error. */
int kp_ring_open(struct kp_ring_reader *ring, int map_fd, size_t len, struct kp_err *err);

/* Keeps account of it, as ring `index` of a kind there. 0 or -ENOMEM. */
int kp_ring_account(struct kp_ring_reader *ring, const struct kp_ledger *ledger, unsigned index,
		    enum kp_ring kind, struct kp_err *err);

/* After a kill: what was taken is taken, and accounted for. */
void kp_ring_settle(struct kp_ring_reader *ring);

/*
 * Calls fn for each event that is complete, in order, until about max_len bytes were read. The
 * event is valid during the call only. Returns the bytes read.
 */
size_t kp_ring_drain(struct kp_ring_reader *ring, size_t max_len,
		     void (*fn)(const struct kp_hdr *event, void *arg), void *arg);

/* Bytes that wait to be read. */
size_t kp_ring_fill(const struct kp_ring_reader *ring);

/* A ring that is not open is fine. */
void kp_ring_close(struct kp_ring_reader *ring);

#endif
