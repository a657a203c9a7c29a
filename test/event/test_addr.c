/* SPDX-License-Identifier: MIT
 * Addresses of both families in one form.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "event/addr.h"

static void expect_text(const kp_addr addr, const char *text)
{
	struct kp_buf out = {0};

	kp_addr_print(addr, &out);
	cr_expect_str_eq(out.data, text);
	kp_buf_done(&out);
}

Test(addr, both_families)
{
	kp_addr v4, v6, other;
	const unsigned char bytes[] = {10, 0, 0, 200};

	kp_addr_from_v4(v4, bytes);
	inet_pton(AF_INET6, "fd00::10.0.0.200", v6);
	inet_pton(AF_INET6, "::ffff:10.0.0.200", other);
	expect_text(v4, "10.0.0.200");
	expect_text(v6, "fd00::a00:c8");
	cr_expect(kp_addr_is_v4(v4));
	cr_expect_not(kp_addr_is_v4(v6));
	cr_expect(kp_addr_same(v4, other));
	cr_expect_not(kp_addr_same(v4, v6));
}

Test(addr, of_no_host)
{
	const unsigned char zeros[4] = {0};
	kp_addr v4, v6 = {0}, loopback = {[15] = 1};

	kp_addr_from_v4(v4, zeros);
	cr_expect(kp_addr_is_any(v4));
	cr_expect(kp_addr_is_any(v6));
	cr_expect_not(kp_addr_is_any(loopback));
	expect_text(v4, "0.0.0.0");
	expect_text(loopback, "::1");
}
