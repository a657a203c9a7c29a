/* SPDX-License-Identifier: MIT
 * Flags and choices of system calls by name, as flags.def has them.
 */
#ifndef KP_EVENT_FLAGS_H
#define KP_EVENT_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum kp_flag_set {
#define SET(set) KP_FLAGS_##set,
#define ONE(mask, value, name)
#define BIT(value, name)
#define END(set)
#include "kprobe/flags.def"
#undef SET
#undef ONE
#undef BIT
#undef END
	KP_FLAGS_CNT
};

/* "O_WRONLY|O_CREAT|0x4000000": bits without a name as a number; "0" if there is nothing to name.
 */
void kp_flags_print(unsigned set, uint64_t value, struct kp_buf *out);

/* The same with the bits of the set only, not its choices. */
void kp_flags_print_bits(unsigned set, uint64_t value, struct kp_buf *out);

/* Whether a value of the set is one of its names, rather than flags. */
bool kp_flags_is_choice(enum kp_flag_set set);

#endif
