/* SPDX-License-Identifier: MIT
 * io_uring by its system calls, as far as one request needs it.
 */
#ifndef KP_TEST_URING_H
#define KP_TEST_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_DATA 0x1122334455667788
#define RING_LEN 8

struct ring {
	struct io_uring_params params;
	int fd;
	char *submitted, *completed;
	struct io_uring_sqe *sqes;
};

static inline bool open_ring(struct ring *ring)
{
	*ring = (struct ring){0};
	ring->fd = (int)syscall(SYS_io_uring_setup, RING_LEN, &ring->params);
	if (ring->fd < 0)
		return false;
	ring->submitted =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->completed =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, RING_LEN * sizeof(*ring->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, IORING_OFF_SQES);
	return ring->submitted != MAP_FAILED && ring->completed != MAP_FAILED &&
	       ring->sqes != MAP_FAILED;
}

/* The first entry is to read a byte, and by a worker. */
static inline void prepare_read(struct ring *ring, int fd, char *byte)
{
	*ring->sqes = (struct io_uring_sqe){.opcode = IORING_OP_READ,
					    .flags = IOSQE_ASYNC,
					    .fd = fd,
					    .addr = (uintptr_t)byte,
					    .len = 1,
					    .user_data = USER_DATA};
}

/* Submits the first entry. */
static inline bool submit(struct ring *ring)
{
	*(uint32_t *)(ring->submitted + ring->params.sq_off.array) = 0;
	*(uint32_t *)(ring->submitted + ring->params.sq_off.tail) += 1;
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1;
}

/* Waits for its completion. */
static inline bool await(struct ring *ring)
{
	return syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 0;
}

#endif
