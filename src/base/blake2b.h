/* SPDX-License-Identifier: MIT
 * BLAKE2b without a key (RFC 7693).
 */
#ifndef KP_BASE_BLAKE2B_H
#define KP_BASE_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define KP_BLAKE2B_MAX 64

/* The hash of len bytes, of hash_len bytes, 1 to KP_BLAKE2B_MAX. A shorter one is no prefix of a
 * longer. */
void kp_blake2b(const void *data, size_t len, void *ret_hash, size_t hash_len);

#endif
