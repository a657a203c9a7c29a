/* SPDX-License-Identifier: MIT
 * Against the vector of RFC 7693 and what b2sum(1) makes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/blake2b.h"

static const char *hex_of(const void *data, size_t len, size_t hash_len)
{
	static char text[2 * KP_BLAKE2B_MAX + 1];
	unsigned char hash[KP_BLAKE2B_MAX];

	kp_blake2b(data, len, hash, hash_len);
	for (size_t i = 0; i < hash_len; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return text;
}

/* RFC 7693, appendix A. */
Test(blake2b, vector_of_the_rfc)
{
	cr_expect_str_eq(hex_of("abc", 3, 64),
			 "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

/* b2sum -l 128: nothing, a block, one byte more, and two blocks. */
Test(blake2b, lengths_around_a_block)
{
	static const struct {
		size_t len;
		const char *hash;
	} cases[] = {
		{0, "cae66941d9efbd404e4d88758ea67670"},
		{1, "7025e075d5e2f6cde3cc051a31f07660"},
		{127, "28b1296c7d4807883de6ee4ec04dcc0a"},
		{128, "a74787004ef589e31149183900d0294a"},
		{129, "aaf1b0371f6d4ee49ee4fb5ddd9c49ef"},
		{256, "c2472c0ac37a8dbdb25f05ada0d82643"},
	};
	char bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_expect_str_eq(hex_of(bytes, cases[i].len, 16), cases[i].hash, "%zu bytes",
				 cases[i].len);
}
