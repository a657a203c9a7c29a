/* SPDX-License-Identifier: MIT
 * BLAKE2b after RFC 7693, sections 2 and 3.
 */
#include "base/blake2b.h"

#include <assert.h>
#include <string.h>

#define BLOCK_LEN sizeof(((struct kp_blake2b *)0)->last)
#define ROUNDS 12

/* RFC 7693, 2.6: the same as SHA-512's. */
static const uint64_t start[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* RFC 7693, 2.7; rounds 10 and 11 repeat 0 and 1. */
static const uint8_t sigma[ROUNDS][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static inline uint64_t rotate(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

static inline void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
	*a += *b + x;
	*d = rotate(*d ^ *a, 32);
	*c += *d;
	*b = rotate(*b ^ *c, 24);
	*a += *b + y;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 63);
}

/* done: bytes hashed with this block. */
static void compress(uint64_t h[8], const unsigned char *block, uint64_t done, int is_last)
{
	uint64_t v[16], m[16];

	memcpy(m, block, sizeof(m));
	memcpy(v, h, 8 * sizeof(*h));
	memcpy(v + 8, start, sizeof(start));
	v[12] ^= done;
	v[14] ^= is_last ? UINT64_MAX : 0;
	for (int i = 0; i < ROUNDS; i++) {
		const uint8_t *s = sigma[i];

		mix(&v[0], &v[4], &v[8], &v[12], m[s[0]], m[s[1]]);
		mix(&v[1], &v[5], &v[9], &v[13], m[s[2]], m[s[3]]);
		mix(&v[2], &v[6], &v[10], &v[14], m[s[4]], m[s[5]]);
		mix(&v[3], &v[7], &v[11], &v[15], m[s[6]], m[s[7]]);
		mix(&v[0], &v[5], &v[10], &v[15], m[s[8]], m[s[9]]);
		mix(&v[1], &v[6], &v[11], &v[12], m[s[10]], m[s[11]]);
		mix(&v[2], &v[7], &v[8], &v[13], m[s[12]], m[s[13]]);
		mix(&v[3], &v[4], &v[9], &v[14], m[s[14]], m[s[15]]);
	}
	for (int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

void kp_blake2b_init(struct kp_blake2b *state, size_t hash_len)
{
	assert(hash_len && hash_len <= KP_BLAKE2B_MAX);
	memcpy(state->h, start, sizeof(state->h));
	state->h[0] ^= 0x01010000 ^ hash_len;
	state->done = state->last_len = 0;
	state->hash_len = hash_len;
}

/* The last block, whole or not, is kept back: only the end tells that it is the last. */
void kp_blake2b_add(struct kp_blake2b *state, const void *data, size_t len)
{
	const unsigned char *at = data;
	size_t room = BLOCK_LEN - state->last_len;

	if (len > room) {
		memcpy(state->last + state->last_len, at, room);
		state->done += BLOCK_LEN;
		compress(state->h, state->last, state->done, 0);
		state->last_len = 0;
		at += room;
		len -= room;
	}
	for (; len > BLOCK_LEN; at += BLOCK_LEN, len -= BLOCK_LEN) {
		state->done += BLOCK_LEN;
		compress(state->h, at, state->done, 0);
	}
	if (len)
		memcpy(state->last + state->last_len, at, len);
	state->last_len += len;
}

void kp_blake2b_end(struct kp_blake2b *state, void *ret_hash)
{
	memset(state->last + state->last_len, 0, BLOCK_LEN - state->last_len);
	compress(state->h, state->last, state->done + state->last_len, 1);
	memcpy(ret_hash, state->h, state->hash_len);
}

void kp_blake2b(const void *data, size_t len, void *ret_hash, size_t hash_len)
{
	struct kp_blake2b state;

	kp_blake2b_init(&state, hash_len);
	kp_blake2b_add(&state, data, len);
	kp_blake2b_end(&state, ret_hash);
}
