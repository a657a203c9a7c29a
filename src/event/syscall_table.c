/* SPDX-License-Identifier: MIT
 * syscalls.def as data.
 */
#include <errno.h>
#include <string.h>

#include "event/syscall.h"

/* The words of an argument; an argument is a tuple. */
#define ARG(type, name, rule, dir, len_arg, unit) (type, #name, rule, dir, len_arg, unit)
#define KP_SYS_IN (1 << KP_DIR_IN)
#define KP_SYS_OUT (1 << KP_DIR_OUT)
#define KP_SYS_GIVEN (KP_SYS_IN | KP_ARG_GIVEN)
#define INT(name) ARG(KP_ARG_INT, name, KP_LEN_NONE, 0, 0, 0)
#define MS(name) ARG(KP_ARG_MS, name, KP_LEN_NONE, 0, 0, 0)
#define UINT(name) ARG(KP_ARG_UINT, name, KP_LEN_NONE, 0, 0, 0)
#define OFF(name) ARG(KP_ARG_OFF, name, KP_LEN_NONE, 0, 0, 0)
#define HEX(name) ARG(KP_ARG_HEX, name, KP_LEN_NONE, 0, 0, 0)
#define FD(name) ARG(KP_ARG_FD, name, KP_LEN_NONE, 0, 0, 0)
#define FD_USED(name) ARG(KP_ARG_FD, name, KP_LEN_NONE, KP_SYS_OUT, 0, 0)
#define OCT(name) ARG(KP_ARG_OCT, name, KP_LEN_NONE, 0, 0, 0)
#define FLAGS(name, set) ARG(KP_ARG_FLAGS, name, KP_LEN_NONE, 0, 0, KP_FLAGS_##set)
#define SIG(name) ARG(KP_ARG_SIG, name, KP_LEN_NONE, 0, 0, 0)
#define PTR(name) ARG(KP_ARG_PTR, name, KP_LEN_NONE, 0, 0, 0)
#define STR(name) ARG(KP_ARG_BUF, name, KP_LEN_STR, KP_SYS_IN, 0, 1)
#define IN_FIX(name, n) ARG(KP_ARG_BUF, name, KP_LEN_FIXED, KP_SYS_IN, 0, n)
#define OUT_FIX(name, n) ARG(KP_ARG_BUF, name, KP_LEN_FIXED, KP_SYS_OUT, 0, n)
#define IN_ALW(name, n) ARG(KP_ARG_BUF, name, KP_LEN_ALWAYS, KP_SYS_IN, 0, n)
#define IN_ARG(name, len, unit) ARG(KP_ARG_BUF, name, KP_LEN_ARG, KP_SYS_IN, len, unit)
#define SOCKADDR(name, len) ARG(KP_ARG_BUF, name, KP_LEN_ARG, KP_SYS_IN | KP_ARG_SOCKADDR, len, 1)
#define OUT_ARG(name, len, unit) ARG(KP_ARG_BUF, name, KP_LEN_ARG, KP_SYS_OUT, len, unit)
#define IN_ALL(name, len) ARG(KP_ARG_BUF, name, KP_LEN_ARG, KP_SYS_GIVEN, len, 1)
#define IN_RET(name, unit, max) ARG(KP_ARG_BUF, name, KP_LEN_RET, KP_SYS_GIVEN, max, unit)
#define OUT_RET(name, unit, max) ARG(KP_ARG_BUF, name, KP_LEN_RET, KP_SYS_OUT, max, unit)
#define OUT_VAL(name, len) ARG(KP_ARG_BUF, name, KP_LEN_U32AT, KP_SYS_OUT, len, 1)
#define OUT_BITS(name, len) ARG(KP_ARG_BUF, name, KP_LEN_BITS, KP_SYS_OUT, len, 1)
#define OUT_PAGES(name, len) ARG(KP_ARG_BUF, name, KP_LEN_PAGES, KP_SYS_OUT, len, 1)
#define IN_MSGB(name, len) ARG(KP_ARG_BUF, name, KP_LEN_MSGBUF, KP_SYS_GIVEN, len, 1)
#define OUT_MSGB(name, len) ARG(KP_ARG_BUF, name, KP_LEN_MSGBUF, KP_SYS_OUT, len, 1)
#define IOV_IN(name, count) ARG(KP_ARG_BUF, name, KP_LEN_IOV, KP_SYS_GIVEN, count, 1)
#define IOV_OUT(name, count) ARG(KP_ARG_BUF, name, KP_LEN_IOV, KP_SYS_OUT, count, 1)
#define MSG_IN(name) ARG(KP_ARG_BUF, name, KP_LEN_MSG, KP_SYS_GIVEN, 0, 1)
#define MSG_OUT(name) ARG(KP_ARG_BUF, name, KP_LEN_MSG, KP_SYS_OUT, 0, 1)
#define MMSG_IN(name) ARG(KP_ARG_BUF, name, KP_LEN_MMSG, KP_SYS_GIVEN, 0, 1)
#define MMSG_OUT(name) ARG(KP_ARG_BUF, name, KP_LEN_MMSG, KP_SYS_OUT, 0, 1)
#define CMD(name, by, ignore) \
	ARG(KP_ARG_BUF, name, KP_LEN_COMMAND, KP_SYS_IN | KP_SYS_OUT | KP_ARG_FAILS, by, ignore)
#define OUT_IF(name, by, bits) ARG(KP_ARG_BUF, name, KP_LEN_IF, KP_SYS_OUT, by, bits)
#define IN_CLONE(name, size) ARG(KP_ARG_BUF, name, KP_LEN_CLONE, KP_SYS_IN, size, 1)
#define FAILS(arg) FAILS_OF arg
#define FAILS_OF(type, name, rule, dir, len_arg, unit) \
	(type, name, rule, (dir) | KP_ARG_FAILS, len_arg, unit)

/* The words of traits.def without their prefixes. */
enum {
#define RESULT(kind, text)
#define TRAIT(name, text) name = KP_TRAIT_##name,
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
	NA = KP_NR_NA,
};

/* A row takes six arguments, the missing ones filled up with NO. */
#define NO (KP_ARG_NONE, NULL, KP_LEN_NONE, 0, 0, 0)
#define NAME_OF(type, name, rule, dir, len_arg, unit) name
#define RULE_OF(type, name, rule, dir, len_arg, unit) \
	{                                             \
		type, rule, dir, len_arg, unit        \
	}
#define ROW(number, text, act, res, does, other, a, b, c, d, e, f, ...)                 \
	[number] = {text,                                                               \
		    act,                                                                \
		    res,                                                                \
		    does,                                                               \
		    other,                                                              \
		    {NAME_OF a, NAME_OF b, NAME_OF c, NAME_OF d, NAME_OF e, NAME_OF f}, \
		    {{RULE_OF a, RULE_OF b, RULE_OF c, RULE_OF d, RULE_OF e, RULE_OF f}}},
#define FILL(...) ROW(__VA_ARGS__)
#define SYSCALL(number, i386, name, ...) \
	WORDS(number, i386, #name, __VA_ARGS__, NO, NO, NO, NO, NO, NO, NO)
#define WORDS(number, i386, text, action, result, traits, ...) \
	FILL(number, text, KP_ACT_##action, KP_RESULT_##result, traits, i386, __VA_ARGS__)

static const struct kp_syscall table[KP_SYSCALL_MAX] = {
#include "kprobe/syscalls.def"
};

const struct kp_syscall *kp_syscall_get(unsigned nr)
{
	return nr < KP_SYSCALL_MAX && table[nr].name ? &table[nr] : NULL;
}

bool kp_syscall_has(unsigned nr, uint32_t traits)
{
	const struct kp_syscall *row = kp_syscall_get(nr);

	return row && row->traits & traits;
}

bool kp_syscall_sets(const struct kp_syscall *row, const uint64_t args[KP_ARG_MAX])
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (kp_arg_sets(&row->rule.args[i]) && args[i])
			return true;
	return false;
}

int kp_syscall_arg(const struct kp_syscall *row, enum kp_arg_type type)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == type)
			return i;
	return -ENOENT;
}

int kp_syscall_flags_arg(const struct kp_syscall *row, enum kp_flag_set set)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == KP_ARG_FLAGS && row->rule.args[i].unit == set)
			return i;
	return -ENOENT;
}

int kp_syscall_object(const struct kp_syscall *row)
{
	if (row->result == KP_RESULT_FD)
		return KP_ARG_MAX;
	return row->traits & KP_TRAIT_FD_GONE ? -ENOENT : kp_syscall_arg(row, KP_ARG_FD);
}

int kp_syscall_from_i386(unsigned nr)
{
	for (int i = 0; i < KP_SYSCALL_MAX; i++)
		if (table[i].name && table[i].i386 >= 0 && (unsigned)table[i].i386 == nr)
			return i;
	return -ENOENT;
}

int kp_syscall_find(const char *name)
{
	for (int i = 0; i < KP_SYSCALL_MAX; i++)
		if (table[i].name && !strcmp(table[i].name, name))
			return i;
	return -ENOENT;
}
