/* SPDX-License-Identifier: MIT
 * Addresses of sockets: IPv6, or IPv4 mapped to it (RFC 4291, 2.5.5.2).
 */
#ifndef KP_EVENT_ADDR_H
#define KP_EVENT_ADDR_H

#include <stdbool.h>

#include "base/buf.h"
#include "kprobe/event.h"

/* From the four bytes of an IPv4 address, as packets have them. */
void kp_addr_from_v4(kp_addr ret_addr, const void *v4);

bool kp_addr_is_v4(const kp_addr addr);

/* Whether it is the address of no host (0.0.0.0, ::). */
bool kp_addr_is_any(const kp_addr addr);

bool kp_addr_same(const kp_addr a, const kp_addr b);

/* As IPv4, if it is that, or IPv6. */
void kp_addr_print(const kp_addr addr, struct kp_buf *out);

#endif
