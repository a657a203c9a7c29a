/* SPDX-License-Identifier: MIT
 *
 * Which calls replay cannot serve: the one rule by which the recorder warns while it records and by
 * which replay refuses.
 */
#ifndef KP_EVENT_UNREPLAYABLE_H
#define KP_EVENT_UNREPLAYABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "kprobe/event.h"

/* What the payloads of a call say of it; zero-initialised, then one after the other is added. */
struct kp_call_bytes {
	uint64_t clone_flags;   /* in struct clone_args */
	uint64_t missing;       /* bytes of data that are not in the log */
	uint64_t open_flags;    /* in struct open_how */
	bool own_memory;        /* what it opens is the process's own memory */
	bool parameter_missing; /* a parameter could not be read; it is not compared, that is all */
};

void kp_call_bytes_add(struct kp_call_bytes *bytes, const struct kp_ev_payload *payload);

/* Whether a payload is data that the process gives away, rather than a parameter. */
bool kp_payload_is_output(const struct kp_ev_payload *payload);

/* Whether a call did what it was asked for; as the kernel has it, an error is -4095 to -1. */
bool kp_call_succeeded(const struct kp_ev_syscall *call);

/* Whether the kernel never saw the call, for seccomp answered it: nothing but a result. */
bool kp_call_was_refused(const struct kp_ev_syscall *call);

/* Whether a call is an exec that succeeded. */
bool kp_call_is_exec(const struct kp_ev_syscall *call);

/* Whether it was none: the process called the vsyscall page. */
bool kp_call_is_vsyscall(const struct kp_ev_syscall *call);

/* The flags of a clone or clone3. */
uint64_t kp_call_clone_flags(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes);

/* O_ bits with which a call opened its file. */
uint64_t kp_call_open_flags(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes);

#define KP_REASON_LEN 192

/*
 * Whether replay cannot serve the call. reason is then what the process did, to stand behind its
 * name or number: "used ioctl SIOCETHTOOL".
 */
bool kp_call_unreplayable(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes,
			  char reason[KP_REASON_LEN]);

#endif
