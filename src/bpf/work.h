/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The kernel's own work: how long it must take to be told, and the places of tables without locks,
 * in which a newer item takes an older one's place.
 */
#ifndef KP_BPF_WORK_H
#define KP_BPF_WORK_H

#include "bpf/socket.h"

/* Defined in base.bpf.c. */
extern const volatile __u64 work_threshold_ns;

/* Of a 64-bit hash, leaves a place in a table of cnt, a power of two. */
#define KP_HASH_SHIFT(cnt) (64 - __builtin_ctz(cnt))

#endif
