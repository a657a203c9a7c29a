/* SPDX-License-Identifier: MIT
 * The system calls of x86-64 as syscalls.def has them.
 */
#ifndef KP_EVENT_SYSCALL_H
#define KP_EVENT_SYSCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/flags.h"
#include "kprobe/syscall.h"

/* The row of a call, or NULL when the table has none. */
const struct kp_syscall *kp_syscall_get(unsigned nr);

/* Whether the call has one of these traits (KP_TRAIT_…); a call without a row has none. */
bool kp_syscall_has(unsigned nr, uint32_t traits);

/* The first argument of such a type, or of flags of this set; -ENOENT: there is none. */
int kp_syscall_arg(const struct kp_syscall *row, enum kp_arg_type type);
int kp_syscall_flags_arg(const struct kp_syscall *row, enum kp_flag_set set);

/*
 * Which descriptor's object a record of the call names: an argument, KP_ARG_MAX for the result, or
 * -ENOENT. What a call closes is gone when it is recorded.
 */
int kp_syscall_object(const struct kp_syscall *row);

/* Whether the bytes behind an argument are data that the process gives away. */
static inline bool kp_arg_is_output(const struct kp_arg *arg)
{
	return arg->dir & KP_ARG_GIVEN;
}

/* Whether bytes behind an argument may set something: the call only reads them, and they are
 * neither data nor a name. */
static inline bool kp_arg_sets(const struct kp_arg *arg)
{
	return (arg->dir & ~KP_ARG_SOCKADDR) == 1 << KP_DIR_IN && arg->rule != KP_LEN_STR;
}

/* Whether a call with these arguments was given something to set. */
bool kp_syscall_sets(const struct kp_syscall *row, const uint64_t args[KP_ARG_MAX]);

/* Number of the call that nr of the i386 table is, or -ENOENT. */
int kp_syscall_from_i386(unsigned nr);

/* Number of the call with this name, or -ENOENT. */
int kp_syscall_find(const char *name);

/* Whether a signal interrupted the call with this result, which may begin again (ERESTART…). */
static inline bool kp_syscall_restarts(int64_t result)
{
	return result <= -512 && result >= -516;
}

/* Name of a call; "syscall_NNN" in a static buffer of the thread for an unknown one,
 * "i386_NNN" for one of the other table. */
const char *kp_syscall_name(unsigned nr);

/* How many arguments a call has; all, of one that the table does not have. */
unsigned kp_syscall_arg_cnt(unsigned nr);

/* Text to which an argument of a call points: a path, a name. */
struct kp_call_text {
	const char *data; /* without its NUL; NULL: not known */
	uint32_t len;
	bool cut; /* its end was not captured */
};

struct kp_call_texts {
	struct kp_call_text at[KP_ARG_MAX];
};

/* A text is at most so long. */
#define KP_CALL_TEXT_MAX 4096u

/* Sets the text that the payload holds, if it does; it points into the payload. */
void kp_call_texts_add(struct kp_call_texts *texts, const struct kp_ev_payload *payload);

/*
 * "openat(dirfd AT_FDCWD, path "/etc/passwd", flags O_RDONLY, mode 0)"; an address where its text
 * is not known (texts may be NULL); without arguments for an unknown call.
 */
void kp_syscall_print_args(unsigned nr, const uint64_t args[KP_ARG_MAX],
			   const struct kp_call_texts *texts, struct kp_buf *out);

/* The same with " = 832" or " = -2 ENOENT" behind it, from a record. */
void kp_syscall_print(const struct kp_ev_syscall *event, const struct kp_call_texts *texts,
		      struct kp_buf *out);

/* Symbolic name ("ENOENT", "SIGALRM"), or NULL. */
const char *kp_errno_name(int number);
const char *kp_signal_name(int number);
/* The same for a sentence: a name, or "a real-time signal". */
const char *kp_signal_text(int number);

#endif
