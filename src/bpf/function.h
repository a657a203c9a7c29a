/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Functions of the kernel by name: the kernel itself writes a symbol for an address, without the
 * privilege that /proc/kallsyms wants.
 */
#ifndef KP_BPF_FUNCTION_H
#define KP_BPF_FUNCTION_H

#include "bpf/emit.h"

/* Name of the function that has the address; returns its length, cut to what there is room for. */
static __always_inline __u32 kp_name_function(struct kp_function *ret, __u64 address)
{
	static const char format[] = "%ps";
	long len;

	__builtin_memset(ret, 0, sizeof(*ret));
	len = bpf_snprintf(ret->name, sizeof(ret->name), format, &address, sizeof(address));
	return len <= 0 ? 0 : len < KP_FUNCTION_LEN ? len - 1 : KP_FUNCTION_LEN - 1;
}

#endif
