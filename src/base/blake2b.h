/* SPDX-License-Identifier: MIT
 * BLAKE2b without a key (RFC 7693).
 */
#ifndef KP_BASE_BLAKE2B_H
#define KP_BASE_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define KP_BLAKE2B_MAX 64

/* A hash of bytes that come in parts. */
struct kp_blake2b {
	uint64_t h[8];
	uint64_t done; /* bytes hashed, without those in last */
	size_t last_len;
	size_t hash_len;
	unsigned char last[128];
};

/* hash_len: 1 to KP_BLAKE2B_MAX. */
void kp_blake2b_init(struct kp_blake2b *state, size_t hash_len);
void kp_blake2b_add(struct kp_blake2b *state, const void *data, size_t len);
void kp_blake2b_end(struct kp_blake2b *state, void *ret_hash);

/* The hash of len bytes, of hash_len bytes, 1 to KP_BLAKE2B_MAX. A shorter one is no prefix of a
 * longer. */
void kp_blake2b(const void *data, size_t len, void *ret_hash, size_t hash_len);

#endif
