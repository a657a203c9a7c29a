/* SPDX-License-Identifier: MIT
 *
 * What a row of syscalls.def says, as data that both the BPF programs (through a map) and user
 * space read. The rows themselves are in the event layer: kp_syscall_get().
 */
#ifndef KPROBE_SYSCALL_H
#define KPROBE_SYSCALL_H

#include "kprobe/event.h"

/* Numbers of x86-64 system calls are below this. */
#define KP_SYSCALL_MAX 512
#define KP_ARG_MAX 6
/* Where a table has no such call. */
#define KP_NR_NA (-1)

/* The numbers by which a log names calls, those of x86-64: KP_NR_read … */
enum kp_nr {
#define SYSCALL(nr, i386, name, ...) KP_NR_##name = nr,
#include "kprobe/syscalls.def"
#undef SYSCALL
};

/* What a call gives back when it succeeds. */
enum kp_result {
	KP_RESULT_NONE, /* no such call in the table */
#define RESULT(kind, text) KP_RESULT_##kind,
#define TRAIT(name, text)
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
	KP_RESULT_CNT
};

enum kp_trait_index {
#define RESULT(kind, text)
#define TRAIT(name, text) KP_TRAIT_INDEX_##name,
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
	KP_TRAIT_CNT
};

/* What is known of a call: bits of kp_syscall.traits. */
enum kp_trait {
#define RESULT(kind, text)
#define TRAIT(name, text) KP_TRAIT_##name = 1 << KP_TRAIT_INDEX_##name,
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
};

/* What replay does with a call. */
enum kp_action {
	KP_ACT_NONE,    /* no such call in the table */
	KP_ACT_EMULATE, /* not run: result and outputs from the log, inputs compared */
	KP_ACT_EXECUTE, /* run in the tracee with the recorded result forced */
	KP_ACT_SPECIAL, /* code of its own in src/replay */
	KP_ACT_REFUSE,  /* cannot be replayed; the recorder warns */
};

/* How an argument prints, and, for KP_ARG_BUF, how its bytes are found. */
enum kp_arg_type {
	KP_ARG_NONE,
	KP_ARG_INT,  /* signed decimal */
	KP_ARG_MS,   /* milliseconds after which a wait ends, as INT; below 0: never */
	KP_ARG_UINT, /* unsigned decimal */
	KP_ARG_OFF,  /* off_t, signed decimal */
	KP_ARG_HEX,
	KP_ARG_OCT,   /* permission bits */
	KP_ARG_FLAGS, /* unit: enum kp_flag_set */
	KP_ARG_FD,
	KP_ARG_SIG,
	KP_ARG_PTR, /* an address whose target is not captured */
	KP_ARG_BUF,
};

/* How many bytes a KP_ARG_BUF has. Except for ALWAYS, STR and those with KP_ARG_FAILS only captured
 * if the call succeeded. */
enum kp_len_rule {
	KP_LEN_NONE,
	KP_LEN_FIXED,  /* unit bytes */
	KP_LEN_ALWAYS, /* unit bytes, even when the call failed */
	KP_LEN_RET,    /* result × unit, at most args[len_arg] × unit unless len_arg is 0 */
	KP_LEN_ARG,    /* args[len_arg] × unit */
	KP_LEN_BITS,   /* ⌈args[len_arg] / 64⌉ × 8 (fd_set) */
	KP_LEN_PAGES,  /* ⌈args[len_arg] / 4096⌉ (mincore) */
	KP_LEN_U32AT,  /* the u32 to which args[len_arg] points, at exit (socklen_t); it is captured
			  too */
	KP_LEN_STR,    /* up to and with the NUL, at most 4096; even when the call failed */
	KP_LEN_IOV,    /* iovec[args[len_arg]], result bytes in all, each an own payload */
	KP_LEN_MSG, /* struct msghdr: name, iovecs (result bytes in all), control, the header itself
		     */
	KP_LEN_MMSG,    /* struct mmsghdr[result] */
	KP_LEN_COMMAND, /* by the command args[len_arg] & ~unit: kprobe/command.h */
	KP_LEN_IF,      /* 4 bytes if args[len_arg] has one of the bits of unit */
	KP_LEN_CLONE,   /* args[len_arg] bytes: struct clone_args, whose pointers lead on */
	KP_LEN_MSGBUF,  /* struct msgbuf: 8 + args[len_arg] bytes (in) or 8 + result (out) */
};

/* The bytes are data that the process gives away, rather than a parameter; a bit of kp_arg.dir. */
#define KP_ARG_GIVEN 4
/* The kernel may write the bytes although the call fails: they are captured then too, as got. */
#define KP_ARG_FAILS 8
/* The bytes are the address of a socket, of which each family has parts that nobody looks at. */
#define KP_ARG_SOCKADDR 16

struct kp_arg {
	kp_u8 type;    /* KP_ARG_ */
	kp_u8 rule;    /* KP_LEN_, for KP_ARG_BUF */
	kp_u8 dir;     /* 1 << KP_DIR_IN | 1 << KP_DIR_OUT | KP_ARG_… */
	kp_u8 len_arg; /* argument that holds the length, the count or its address */
	kp_u32 unit;
};

/* The part of a row that the BPF programs need. */
struct kp_syscall_rule {
	struct kp_arg args[KP_ARG_MAX];
};

struct kp_syscall {
	const char *name;
	enum kp_action action;
	enum kp_result result;
	kp_u32 traits; /* KP_TRAIT_… */
	kp_s32 i386;   /* its number in the i386 table, or KP_NR_NA */
	const char *arg_names[KP_ARG_MAX];
	struct kp_syscall_rule rule;
};

#endif
