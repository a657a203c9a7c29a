/* SPDX-License-Identifier: MIT
 * CRC-32C by the vectors of RFC 3720, appendix B.4, by the instruction and by the table.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crc32c.h"

typedef uint32_t crc_fn(uint32_t crc, const void *data, size_t len);

static void check_vectors(crc_fn *crc)
{
	static const unsigned char read_pdu[48] = {
		0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	unsigned char bytes[32];

	memset(bytes, 0, sizeof(bytes));
	cr_expect_eq(crc(0, bytes, 32), 0x8a9136aau);
	memset(bytes, 0xff, sizeof(bytes));
	cr_expect_eq(crc(0, bytes, 32), 0x62a8ab43u);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	cr_expect_eq(crc(0, bytes, 32), 0x46dd794eu);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	cr_expect_eq(crc(0, bytes, 32), 0x113fdb5cu);
	cr_expect_eq(crc(0, read_pdu, 48), 0xd9963a56u);
	cr_expect_eq(crc(0, "123456789", 9), 0xe3069283u);
	cr_expect_eq(crc(0, "", 0), 0);
}

Test(crc32c, vectors)
{
	check_vectors(kp_crc32c);
}

Test(crc32c, vectors_by_table)
{
	check_vectors(kp_crc32c_table);
}

Test(crc32c, pieces_and_alignments_agree)
{
	unsigned char bytes[300];
	uint32_t whole;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + i / 7);
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; from + len <= 40; len++) {
			whole = kp_crc32c(0, bytes + from, len);
			cr_assert_eq(whole, kp_crc32c_table(0, bytes + from, len));
			for (size_t cut = 0; cut <= len; cut++)
				cr_assert_eq(kp_crc32c(kp_crc32c(0, bytes + from, cut),
						       bytes + from + cut, len - cut),
					     whole);
		}
}
