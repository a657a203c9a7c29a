/* SPDX-License-Identifier: MIT
 *
 * Buffers of system calls that multiplex, as commands.def has them: the rules, which the BPF
 * programs find in a map and user space by kp_command_find() of the event layer.
 */
#ifndef KPROBE_COMMAND_H
#define KPROBE_COMMAND_H

#include "kprobe/event.h"

enum kp_part_kind {
	KP_PART_NONE,
	KP_PART_TAIL,   /* the bytes are at offset `at` of the struct itself */
	KP_PART_BEHIND, /* the pointer at offset `at` leads to them */
};

#define KP_PART_ALL 0xffff /* kp_command_part.most: no other number bounds the count */

/* count × unit bytes more than the struct, written by the kernel. */
struct kp_command_part {
	kp_u8 kind;
	kp_u8 width; /* bytes of the count; 0: it is the call's result */
	kp_u16 at;   /* offsets in the struct */
	kp_u16 count;
	kp_u16 most;
	kp_u32 unit;
};

/* What an argument points to by the command. dir 0: it is a number, or there is no buffer. */
struct kp_command_rule {
	kp_u32 len;
	kp_u8 dir;    /* 1 << KP_DIR_IN or 1 << KP_DIR_OUT */
	kp_u8 refuse; /* cannot be replayed if it succeeded */
	kp_u8 cap;    /* not 0: len is the call's result, at most this argument */
	kp_u8 own;    /* changes nothing that others see */
	struct kp_command_part parts[2];
};

/* Key of a rule in the BPF programs' map. */
#define KP_COMMAND_KEY(nr, command) ((kp_u64)(nr) << 32 | (kp_u32)(command))

/* A smaller number is no address: the lowest page of a process is never mapped. */
#define KP_ADDRESS_MIN 65536

/*
 * An ioctl without a row, by what its number says: asm-generic/ioctl.h. One that says nothing has a
 * buffer that nobody knows if its argument can be an address. In BPF a function that is not inlined
 * cannot return a struct.
 */
static inline __attribute__((always_inline)) struct kp_command_rule
kp_command_encoded(kp_u32 request, kp_u64 argument)
{
	struct kp_command_rule rule = {.len = request >> 16 & 0x3fff};

	if (request >> 31)
		rule.dir = 1 << KP_DIR_OUT;
	else if (request >> 30)
		rule.dir = 1 << KP_DIR_IN;
	else
		rule.refuse = argument >= KP_ADDRESS_MIN;
	return rule;
}

#endif
