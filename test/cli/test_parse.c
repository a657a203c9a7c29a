/* SPDX-License-Identifier: MIT
 * Values of options.
 */
#include <criterion/criterion.h>

#include "cli/cli.h"

Test(parse, sizes)
{
	uint64_t v;

	cr_assert_eq(kp_parse_size("4096", &v, NULL), 0);
	cr_assert_eq(v, 4096);
	cr_assert_eq(kp_parse_size("64k", &v, NULL), 0);
	cr_assert_eq(v, 65536);
	cr_assert_eq(kp_parse_size("2G", &v, NULL), 0);
	cr_assert_eq(v, 2147483648u);
	cr_assert_lt(kp_parse_size("", &v, NULL), 0);
	cr_assert_lt(kp_parse_size("-1", &v, NULL), 0);
	cr_assert_lt(kp_parse_size("5X", &v, NULL), 0);
	cr_assert_lt(kp_parse_size("99999999999999T", &v, NULL), 0);
}

Test(parse, durations)
{
	uint64_t v;

	cr_assert_eq(kp_parse_duration("100ms", &v, NULL), 0);
	cr_assert_eq(v, 100000000);
	cr_assert_eq(kp_parse_duration("5", &v, NULL), 0);
	cr_assert_eq(v, 5000000000);
	cr_assert_eq(kp_parse_duration("2h", &v, NULL), 0);
	cr_assert_eq(v, 7200000000000);
	cr_assert_lt(kp_parse_duration("5 s", &v, NULL), 0);
}

Test(parse, numbers)
{
	uint32_t v;

	cr_assert_eq(kp_parse_u32("4294967295", &v, NULL), 0);
	cr_assert_eq(v, 4294967295u);
	cr_assert_lt(kp_parse_u32("4294967296", &v, NULL), 0);
	cr_assert_lt(kp_parse_u32("-3", &v, NULL), 0);
	cr_assert_lt(kp_parse_u32("", &v, NULL), 0);
}

Test(parse, moments)
{
	struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"1970-01-01T00:00:01Z", 1000000000},
		{"2028-02-29T00:00:00Z", 1835395200000000000},
		{"2026-11-24T03:00:00.5Z", 1795489200500000000},
		{"2026-11-24T05:00:00.5+02:00", 1795489200500000000},
		{"2026-11-23 22:30:00.500000000-0430", 1795489200500000000},
		{"1795489200.5", 1795489200500000000},
		{"1795489200.123456789", 1795489200123456789},
		{"1795489200", 1795489200000000000},
	};
	static const char *const bad[] = {"",
					  "now",
					  "2026-11-24",
					  "2026-11-24T25:00:00Z",
					  "2026-02-30T00:00:00Z",
					  "2026-02-29T00:00:00Z",
					  "2100-02-29T00:00:00Z",
					  "2026-04-31T00:00:00Z",
					  "2026-13-01T00:00:00Z",
					  "2026-11-24T03:00:00.5X",
					  "1.2.3",
					  "99999999999999999999",
					  "2026-11-24T03:00:00+2",
					  "1795489200."};
	uint64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_assert_eq(kp_parse_time(good[i].text, &v, NULL), 0, "%s", good[i].text);
		cr_assert_eq(v, good[i].ns, "%s: %lu", good[i].text, v);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_lt(kp_parse_time(bad[i], &v, NULL), 0, "%s", bad[i]);
}
