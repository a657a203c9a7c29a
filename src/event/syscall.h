/* SPDX-License-Identifier: MIT
 * The system calls of x86-64 as syscalls.def has them.
 */
#ifndef KP_EVENT_SYSCALL_H
#define KP_EVENT_SYSCALL_H

#include <stdint.h>

#include "base/buf.h"
#include "kprobe/syscall.h"

/* The row of a call, or NULL when the table has none. */
const struct kp_syscall *kp_syscall_get(unsigned nr);

/* Number of the call with this name, or -ENOENT. */
int kp_syscall_find(const char *name);

/* Name of a call; "syscall_NNN" in a static buffer of the thread for an unknown one,
 * "i386_NNN" for one of the other table. */
const char *kp_syscall_name(unsigned nr);

/* "read(fd 3, buf 0x7f…, count 4096)"; without arguments for an unknown call. */
void kp_syscall_print_args(unsigned nr, const uint64_t args[KP_ARG_MAX], struct kp_buf *out);

/* "read(fd 3, buf 0x7f…, count 4096) = 832" or "= -2 ENOENT", from a record. */
void kp_syscall_print(const struct kp_ev_syscall *event, struct kp_buf *out);

/* Symbolic name ("ENOENT", "SIGALRM"), or NULL. */
const char *kp_errno_name(int number);
const char *kp_signal_name(int number);

#endif
