/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Functions of the kernel by name: the kernel itself writes a symbol for an address, without the
 * privilege that /proc/kallsyms wants.
 */
#ifndef KP_BPF_FUNCTION_H
#define KP_BPF_FUNCTION_H

#include "bpf/emit.h"

/* The name of the function that has the address. */
static __always_inline void kp_name_function(struct kp_function *ret, __u64 address)
{
	static const char format[] = "%ps";

	__builtin_memset(ret, 0, sizeof(*ret));
	bpf_snprintf(ret->name, sizeof(ret->name), format, &address, sizeof(address));
}

#endif
