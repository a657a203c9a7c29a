/* SPDX-License-Identifier: MIT
 * CPUID as a table.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/cpuid.h"

Test(cpuid, this_cpu_is_the_same_as_itself)
{
	struct kp_cpuid table[KP_CPUID_MAX], again[KP_CPUID_MAX];
	size_t cnt = kp_cpuid_read(table);
	struct kp_cpuid vendor = kp_cpuid_ask(table, cnt, 0, 5);

	cr_assert_gt(cnt, 5);
	cr_expect_geq(vendor.eax, 1);
	cr_expect(kp_cpuid_same(table, cnt, again, kp_cpuid_read(again)));
	table[1].edx ^= 1u << 25; /* leaf 1: SSE */
	cr_expect(!kp_cpuid_same(table, cnt, again, cnt));
	cr_expect(!kp_cpuid_same(again, cnt, again, cnt - 1));
}

Test(cpuid, answers_by_leaf_and_subleaf)
{
	const struct kp_cpuid table[] = {{.leaf = 1, .eax = 10},
					 {.leaf = 7, .subleaf = 0, .ebx = 20},
					 {.leaf = 7, .subleaf = 1, .eax = 30}};

	cr_expect_eq(kp_cpuid_ask(table, 3, 1, 77).eax, 10); /* a leaf without subleaves */
	cr_expect_eq(kp_cpuid_ask(table, 3, 7, 0).ebx, 20);
	cr_expect_eq(kp_cpuid_ask(table, 3, 7, 1).eax, 30);
	cr_expect_eq(kp_cpuid_ask(table, 3, 7, 2).eax, 0);
	cr_expect_eq(kp_cpuid_ask(table, 3, 9, 0).eax, 0);
}

Test(cpuid, another_apic_id_is_the_same_model)
{
	const struct kp_cpuid a = {.leaf = 1, .ebx = 0x01000800},
			      b = {.leaf = 1, .ebx = 0x02000800};

	cr_expect(kp_cpuid_same(&a, 1, &b, 1));
}

Test(cpuid, name_from_a_log_is_made_printable)
{
	struct kp_cpuid part = {.leaf = 0x80000002};
	char name[49];

	memcpy(&part.eax, "CPU \x1b[1m x      ", 16);
	kp_cpuid_name(&part, 1, name);
	cr_expect_str_eq(name, "CPU  [1m x");
	kp_cpuid_name(NULL, 0, name);
	cr_expect_str_eq(name, "");
}
