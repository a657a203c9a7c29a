/* SPDX-License-Identifier: MIT
 * Addresses of sockets; see addr.h.
 */
#include "event/addr.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_AT (KP_ADDR_LEN - 4) /* where the IPv4 address is */

static const kp_addr v4_any = {[10] = 0xff, [11] = 0xff};
static const kp_addr v6_any;

void kp_addr_from_v4(kp_addr ret_addr, const void *v4)
{
	memcpy(ret_addr, v4_any, V4_AT);
	memcpy(ret_addr + V4_AT, v4, KP_ADDR_LEN - V4_AT);
}

bool kp_addr_is_v4(const kp_addr addr)
{
	return !memcmp(addr, v4_any, V4_AT);
}

bool kp_addr_same(const kp_addr a, const kp_addr b)
{
	return !memcmp(a, b, KP_ADDR_LEN);
}

bool kp_addr_is_any(const kp_addr addr)
{
	return kp_addr_same(addr, v4_any) || kp_addr_same(addr, v6_any);
}

void kp_addr_print(const kp_addr addr, struct kp_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	kp_buf_puts(out, kp_addr_is_v4(addr) ? inet_ntop(AF_INET, addr + V4_AT, text, sizeof(text))
					     : inet_ntop(AF_INET6, addr, text, sizeof(text)));
}
