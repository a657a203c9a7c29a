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
#include "kprobe/event.h"

struct kp_ring_reader {
	int map_fd; /* -1: not open */
	size_t len;
	unsigned char *consumer; /* page with the reader's position */
	unsigned char *producer; /* page with the kernel's position, then the data, mapped twice */
};

/* Makes a ring of len bytes (a power of two, whole pages). */
int kp_ring_open(struct kp_ring_reader *ring, const char *name, size_t len, struct kp_err *err);

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
