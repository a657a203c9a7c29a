/* SPDX-License-Identifier: MIT
 *
 * The seccomp filter of recorded processes: it holds the calls that the recorder wants to see
 * first, and tells them on a listener (seccomp_unotify(2)). Nothing is traced by it: recorded
 * processes can trace each other, and be traced by others.
 */
#ifndef KP_RECORD_FILTER_H
#define KP_RECORD_FILTER_H

#include <stdint.h>
#include <sys/types.h>

/* A call that is held until it is answered. */
struct kp_held_call {
	uint64_t id;
	pid_t tid;
	int nr;
	uint64_t args[6];
};

/*
 * Puts the calling process under the filter, with all that it will run, and sends the listener, or
 * why there is none, on a connected socket. Safe between fork and exec.
 */
void kp_filter_install(int socket);

/* Takes the listener that kp_filter_install sent; a negative errno when there is none. */
int kp_filter_receive(int socket);

/* The next held call, when poll(2) says that there is one: 1; 0: its task has ended meanwhile. */
int kp_filter_next(int listener, struct kp_held_call *ret_call);

/* Lets the call be made, or has it return a value instead. */
void kp_filter_go_on(int listener, const struct kp_held_call *call);
void kp_filter_answer(int listener, const struct kp_held_call *call, int64_t value);

/*
 * Makes a process that lets all calls go on once *ret_fd is closed, be it by the end of ours:
 * without a listener they would fail with ENOSYS. It ends with the last process under the filter.
 * Returns its pid, or a negative errno.
 */
pid_t kp_filter_keep(int listener, int *ret_fd);

#endif
