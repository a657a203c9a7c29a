/* SPDX-License-Identifier: MIT
 *
 * What the CPUID instruction says, as a table that can be kept and asked later in the place of a
 * CPU. Source: Intel SDM volume 2A and AMD APM volume 3, "CPUID".
 */
#ifndef KP_BASE_CPUID_H
#define KP_BASE_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_cpuid {
	uint32_t leaf, subleaf;
	uint32_t eax, ebx, ecx, edx;
};

#define KP_CPUID_MAX 512

/* Fills at most KP_CPUID_MAX entries from this CPU; returns how many. */
size_t kp_cpuid_read(struct kp_cpuid *table);

/* Extended control register 0, the register state that the kernel enabled; 0 without XSAVE. */
uint64_t kp_cpuid_xcr0(void);

/* What a CPU with this table answers; zeros for what it does not know. */
struct kp_cpuid kp_cpuid_ask(const struct kp_cpuid *table, size_t cnt, uint32_t leaf,
			     uint32_t subleaf);

/* Whether programs see the same CPU: all but what differs among the CPUs of one machine. */
bool kp_cpuid_same(const struct kp_cpuid *a, size_t a_cnt, const struct kp_cpuid *b, size_t b_cnt);

/* The CPU's name, at most 48 characters and a NUL. */
void kp_cpuid_name(const struct kp_cpuid *table, size_t cnt, char ret_name[49]);

#endif
