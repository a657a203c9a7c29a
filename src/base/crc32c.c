/* SPDX-License-Identifier: MIT
 * CRC-32C with the CPU's instruction, or a table of 256 entries where there is none.
 */
#include "base/crc32c.h"

#include <string.h>

#define POLY_REFLECTED 0x82f63b78u

static uint32_t crc_table(uint32_t crc, const unsigned char *p, size_t len)
{
	static uint32_t table[256];
	uint32_t v;

	if (!table[1]) /* idempotent: a race writes the same values */
		for (uint32_t i = 256; i-- > 0;) {
			v = i;
			for (int k = 0; k < 8; k++)
				v = v & 1 ? v >> 1 ^ POLY_REFLECTED : v >> 1;
			table[i] = v;
		}
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const unsigned char *p,
							    size_t len)
{
	uint64_t wide = crc, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t kp_crc32c(uint32_t crc, const void *data, size_t len)
{
	crc = ~crc;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse42(crc, data, len);
#endif
	return ~crc_table(crc, data, len);
}

uint32_t kp_crc32c_table(uint32_t crc, const void *data, size_t len)
{
	return ~crc_table(~crc, data, len);
}
