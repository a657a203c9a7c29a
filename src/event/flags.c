/* SPDX-License-Identifier: MIT
 * flags.def as data, and how a value prints by it.
 */
#include "event/flags.h"

#include <inttypes.h>

struct flag {
	uint32_t mask;
	uint32_t value;
	const char *name;
};

#define SET(set) static const struct flag flags_##set[] = {
#define ONE(mask, value, name) {mask, value, #name},
#define BIT(value, name) {value, value, #name},
#define END(set)           \
	{                  \
		0, 0, NULL \
	}                  \
	}                  \
	;
#include "kprobe/flags.def"
#undef SET
#undef ONE
#undef BIT
#undef END

static const struct flag *const sets[KP_FLAGS_CNT] = {
#define SET(set) [KP_FLAGS_##set] = flags_##set,
#define ONE(mask, value, name)
#define BIT(value, name)
#define END(set)
#include "kprobe/flags.def"
#undef SET
#undef ONE
#undef BIT
#undef END
};

static void print(const struct flag *set, uint64_t value, bool only_bits, struct kp_buf *out)
{
	/* An int in a 64-bit register may be extended by its sign. */
	uint64_t rest = value >> 31 == 0x1ffffffff ? (uint32_t)value : value;
	uint32_t left = UINT32_MAX; /* bits that no row has named */
	const char *sep = "";

	for (const struct flag *f = set; f->name; f++) {
		if ((f->mask & left) != f->mask || (value & f->mask) != f->value ||
		    (f->mask == UINT32_MAX && rest >> 32) || (only_bits && f->mask != f->value))
			continue;
		kp_buf_printf(out, "%s%s", sep, f->name);
		sep = "|";
		left &= ~f->mask;
		rest &= ~(uint64_t)f->mask;
	}
	if (rest)
		kp_buf_printf(out, "%s0x%" PRIx64, sep, rest);
	else if (!*sep)
		kp_buf_putc(out, '0');
}

bool kp_flags_is_choice(enum kp_flag_set set)
{
	return sets[set]->mask == UINT32_MAX;
}

void kp_flags_print(unsigned set, uint64_t value, struct kp_buf *out)
{
	print(sets[set], value, false, out);
}

void kp_flags_print_bits(unsigned set, uint64_t value, struct kp_buf *out)
{
	print(sets[set], value, true, out);
}
