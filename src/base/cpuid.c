/* SPDX-License-Identifier: MIT
 * CPUID as a table; see cpuid.h.
 */
#include "base/cpuid.h"

#include <cpuid.h>
#include <string.h>

#define BASIC 0u
#define HYPERVISOR 0x40000000u
#define EXTENDED 0x80000000u
#define NAME (EXTENDED + 2)
#define RANGE_MAX 0x40u
#define SUBLEAF_MAX 64u
#define XSAVE_LEAF 0xdu
#define TOPOLOGY_LEAF 0xbu
#define TOPOLOGY_LEAF_2 0x1fu
#define OSXSAVE (1u << 27) /* leaf 1, ecx */

/* Leaves that look at ecx. */
static bool has_subleaves(uint32_t leaf)
{
	switch (leaf) {
	case 0x4:
	case 0x7:
	case TOPOLOGY_LEAF:
	case XSAVE_LEAF:
	case 0xf:
	case 0x10:
	case 0x12:
	case 0x14:
	case 0x17:
	case 0x18:
	case 0x1d:
	case 0x1e:
	case TOPOLOGY_LEAF_2:
	case 0x20:
	case 0x23:
	case 0x24:
	case EXTENDED + 0x1d:
	case EXTENDED + 0x20:
	case EXTENDED + 0x26:
		return true;
	}
	return false;
}

static struct kp_cpuid ask_cpu(uint32_t leaf, uint32_t subleaf)
{
	struct kp_cpuid c = {.leaf = leaf, .subleaf = subleaf};

	__cpuid_count(leaf, subleaf, c.eax, c.ebx, c.ecx, c.edx);
	return c;
}

static bool is_empty(const struct kp_cpuid *c)
{
	/* Topology leaves repeat the subleaf's number. */
	return !c->eax && !c->ebx && !(c->ecx & ~0xffu) &&
	       (!c->edx || c->leaf == TOPOLOGY_LEAF || c->leaf == TOPOLOGY_LEAF_2);
}

static size_t read_leaf(struct kp_cpuid *table, size_t cnt, uint32_t leaf)
{
	uint32_t subleaves = has_subleaves(leaf) ? SUBLEAF_MAX : 1;

	for (uint32_t sub = 0; sub < subleaves && cnt < KP_CPUID_MAX; sub++) {
		struct kp_cpuid c = ask_cpu(leaf, sub);

		if (!sub || !is_empty(&c))
			table[cnt++] = c;
	}
	return cnt;
}

size_t kp_cpuid_read(struct kp_cpuid *table)
{
	static const uint32_t ranges[] = {BASIC, HYPERVISOR, EXTENDED};
	size_t cnt = 0;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		uint32_t last = ask_cpu(ranges[i], 0).eax;

		if (last - ranges[i] > RANGE_MAX) /* no such range */
			continue;
		for (uint32_t leaf = ranges[i]; leaf <= last; leaf++)
			cnt = read_leaf(table, cnt, leaf);
	}
	return cnt;
}

uint64_t kp_cpuid_xcr0(void)
{
	uint32_t low, high;

	if (!(ask_cpu(1, 0).ecx & OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

struct kp_cpuid kp_cpuid_ask(const struct kp_cpuid *table, size_t cnt, uint32_t leaf,
			     uint32_t subleaf)
{
	uint32_t wanted = has_subleaves(leaf) ? subleaf : 0;

	for (size_t i = 0; i < cnt; i++)
		if (table[i].leaf == leaf && table[i].subleaf == wanted)
			return table[i];
	return (struct kp_cpuid){.leaf = leaf, .subleaf = subleaf};
}

/* Without what depends on the CPU that was asked, or on the hypervisor's mood. */
static struct kp_cpuid common(struct kp_cpuid c)
{
	const uint32_t apic_id = 0xff000000;

	if (c.leaf == 1)
		c.ebx &= ~apic_id;
	else if (c.leaf == TOPOLOGY_LEAF || c.leaf == TOPOLOGY_LEAF_2 ||
		 c.leaf == EXTENDED + 0x1e || c.leaf == EXTENDED + 0x26 ||
		 (c.leaf >= HYPERVISOR && c.leaf < EXTENDED))
		c.eax = c.ebx = c.ecx = c.edx = 0;
	return c;
}

bool kp_cpuid_same(const struct kp_cpuid *a, size_t a_cnt, const struct kp_cpuid *b, size_t b_cnt)
{
	for (size_t i = 0; i < a_cnt; i++) {
		struct kp_cpuid x = common(a[i]);
		struct kp_cpuid y = common(kp_cpuid_ask(b, b_cnt, a[i].leaf, a[i].subleaf));

		if (x.eax != y.eax || x.ebx != y.ebx || x.ecx != y.ecx || x.edx != y.edx)
			return false;
	}
	return a_cnt == b_cnt;
}

void kp_cpuid_name(const struct kp_cpuid *table, size_t cnt, char ret_name[49])
{
	for (uint32_t i = 0; i < 3; i++) {
		struct kp_cpuid c = kp_cpuid_ask(table, cnt, NAME + i, 0);
		const uint32_t part[4] = {c.eax, c.ebx, c.ecx, c.edx};

		memcpy(ret_name + i * sizeof(part), part, sizeof(part));
	}
	ret_name[48] = '\0';
	for (char *at = ret_name; *at; at++) /* from a log it may be anything */
		if (*at < ' ' || *at > '~')
			*at = ' ';
	for (size_t len = strlen(ret_name); len && ret_name[len - 1] == ' '; len--)
		ret_name[len - 1] = '\0';
}
