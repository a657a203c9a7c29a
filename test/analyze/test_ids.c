/* SPDX-License-Identifier: MIT
 * Ids as exporters write them and as people ask for them.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "analyze/ids.h"

#define ID "5b8efff798038103d269b633813fc60c"
#define SMALL "00000000000000000eee19b7ec3c1b17"

static enum kp_id_form read_id(const char *text, unsigned bytes, const char *wanted)
{
	char hex[33];
	enum kp_id_form form = kp_id_read(text, strlen(text), bytes, hex);

	cr_expect_str_eq(hex, wanted, "%s", text);
	return form;
}

Test(ids, forms)
{
	cr_expect_eq(read_id(ID, 16, ID), KP_ID_WHOLE);
	cr_expect_eq(read_id("0x5B8EFFF798038103D269B633813FC60C", 16, ID), KP_ID_WHOLE);
	cr_expect_eq(read_id("W47/95gDgQPSabYzgT/GDA==", 16, ID), KP_ID_WHOLE);
	cr_expect_eq(read_id("W47_95gDgQPSabYzgT_GDA", 16, ID), KP_ID_WHOLE);
	cr_expect_eq(read_id("eee19b7ec3c1b17", 16, SMALL), KP_ID_SHORT);
	cr_expect_eq(read_id("7uGbfsPBsXQ=", 8, "eee19b7ec3c1b174"), KP_ID_WHOLE);
	cr_expect_eq(read_id("0Xa7vORNu/hPu9hpcA6X4A==", 16, "d176bbbce44dbbf84fbbd869700e97e0"),
		     KP_ID_WHOLE);
	cr_expect_eq(read_id("0xa7vORNu_hPu9hpcA6X4A", 16, "d316bbbce44dbbf84fbbd869700e97e0"),
		     KP_ID_WHOLE);
	cr_expect_eq(read_id("0xp7vORNu/g=", 8, "d31a7bbce44dbbf8"), KP_ID_WHOLE);
	cr_expect_eq(read_id("0123456789abcdefABCDEA==", 16, "d35db7e39ebbf3d69b71d79f00108310"),
		     KP_ID_WHOLE, "hexadecimal digits alone");
	cr_expect_eq(read_id("0x5b8efff79803810", 8, "05b8efff79803810"), KP_ID_SHORT);
	cr_expect_eq(read_id("", 16, ""), KP_ID_NONE);
	cr_expect_eq(read_id("0000000000000000", 8, ""), KP_ID_NONE);
	cr_expect_eq(read_id("AAAAAAAAAAA=", 8, ""), KP_ID_NONE);
	cr_expect_eq(read_id(ID "00", 16, ""), KP_ID_BAD);
	cr_expect_eq(read_id("W47/95gDgQPSabYzgT/GD", 16, ""), KP_ID_BAD);
	cr_expect_eq(read_id("not an id", 16, ""), KP_ID_BAD);
	cr_expect_eq(read_id("W47/95gDgQPSabYzgT*GDA==", 16, ""), KP_ID_BAD);
}

static enum kp_id_fit fits(const char *asked, const char *id)
{
	struct kp_id_asked a;

	return kp_id_ask(asked, 16, &a) ? kp_id_fits(id, &a) : KP_ID_OTHER;
}

Test(ids, asked_for)
{
	struct kp_id_asked asked;

	cr_expect_eq(fits(ID, ID), KP_ID_SAME);
	cr_expect_eq(fits("5B8EFFF798038103D269B633813FC60C", ID), KP_ID_SAME);
	cr_expect_eq(fits("W47/95gDgQPSabYzgT/GDA==", ID), KP_ID_SAME);
	cr_expect_eq(fits("0Xa7vORNu/hPu9hpcA6X4A==", "d176bbbce44dbbf84fbbd869700e97e0"),
		     KP_ID_SAME);
	cr_expect_eq(fits("eee19b7ec3c1b17", SMALL), KP_ID_SAME, "without leading zeros");
	cr_expect_eq(fits("0xeee19b7ec3c1b17", SMALL), KP_ID_SAME);
	cr_expect_eq(fits("5b8efff7", ID), KP_ID_BEGINS, "as a report prints it");
	cr_expect_eq(fits("eee19b7e", SMALL), KP_ID_BEGINS);
	cr_expect_eq(fits("00000000", SMALL), KP_ID_BEGINS);
	cr_expect_eq(fits("5b8efff8", ID), KP_ID_OTHER);
	cr_expect_eq(fits("r4", ID), KP_ID_OTHER);
	cr_expect_eq(fits("", ID), KP_ID_OTHER);
	cr_expect_eq(fits("5b8efff7", ""), KP_ID_OTHER, "a span without an id");
	cr_expect_eq(fits("00-" ID "-eee19b7ec3c1b174-01", ID), KP_ID_SAME);
	cr_expect(kp_id_ask("00-" ID "-eee19b7ec3c1b174-01", 16, &asked));
	cr_expect_str_eq(asked.span, "eee19b7ec3c1b174");
	cr_expect_not(kp_id_ask("00-" ID "-eee19b7ec3c1b17x-01", 16, &asked));
}
