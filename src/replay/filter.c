/* SPDX-License-Identifier: MIT
 * The list of calls that may run in a replayed process, as a program for seccomp; see filter.h.
 */
#include "replay/filter.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#include "event/syscall.h"

#define KIND(name) (1u << KP_FILTER_##name)
#define EVERY (KIND(REPLAY) | KIND(LOADER) | KIND(BUILD))
#define NO_ARG (-1)

/*
 * A call that may run. Where arg names an argument, under mask it must be value: its lower half, or
 * all of it if it is an address.
 */
struct entry {
	uint16_t nr;
	uint16_t kinds;
	int arg;
	uint32_t mask;
	uint32_t value;
	bool address;
};

#define READ_ONLY (O_ACCMODE | O_CREAT | O_TRUNC)

/* What the replayer has the process run besides the table's. */
static const struct entry entries[] = {
	/* Of a descriptor that the process began with; never of a path. */
	{KP_NR_execveat, KIND(REPLAY) | KIND(LOADER), 4, UINT32_MAX, AT_EMPTY_PATH, false},
	{KP_NR_exit_group, EVERY, NO_ARG, 0, 0, false},
	/* The stricter list that follows the loader's. */
	{KP_NR_seccomp, KIND(LOADER), 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER, false},
};

/* arch/x86/entry/vsyscall/vsyscall_64.c */
static const uint16_t vsyscalls[] = {KP_NR_gettimeofday, KP_NR_time, KP_NR_getcpu};

/* A loader's call as it may be: it opens to read, and sets nothing. */
static struct entry loader_entry(unsigned nr, const struct kp_syscall *row)
{
	int open_flags = kp_syscall_flags_arg(row, KP_FLAGS_open);
	struct entry entry = {(uint16_t)nr, KIND(LOADER), NO_ARG, 0, 0, false};

	if (open_flags >= 0)
		return (struct entry){entry.nr,  entry.kinds, open_flags,
				      READ_ONLY, O_RDONLY,    false};
	for (int i = 0; i < KP_ARG_MAX; i++) {
		if (kp_arg_sets(&row->rule.args[i]))
			return (struct entry){entry.nr, entry.kinds, i, UINT32_MAX, 0, true};
	}
	return entry;
}

/* Whether the filter has the call, and as what. */
static bool find(enum kp_filter_kind kind, uint64_t nr, struct entry *ret_entry)
{
	const struct kp_syscall *row = nr < KP_SYSCALL_MAX ? kp_syscall_get((unsigned)nr) : NULL;

	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		if (entries[i].nr == nr && entries[i].kinds & 1u << kind) {
			*ret_entry = entries[i];
			return true;
		}
	if (!row)
		return false;
	*ret_entry = (struct entry){(uint16_t)nr, EVERY, NO_ARG, 0, 0, false};
	/* A list stays on its process below the later ones: what a build may do, its loader may. */
	if (row->action == KP_ACT_EXECUTE || row->traits & KP_TRAIT_MEMORY)
		return true;
	if (kind == KP_FILTER_LOADER && row->traits & KP_TRAIT_LOADER) {
		*ret_entry = loader_entry((unsigned)nr, row);
		return true;
	}
	return false;
}

static void put(struct kp_filter *filter, struct sock_filter op)
{
	assert(filter->len < KP_FILTER_MAX);
	filter->code[filter->len++] = op;
}

static void load(struct kp_filter *filter, size_t offset)
{
	put(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* If the word that was loaded is value: action. */
static void on(struct kp_filter *filter, uint32_t value, uint32_t action)
{
	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Kills unless the word at offset, under mask, is value. */
static void require(struct kp_filter *filter, size_t offset, uint32_t mask, uint32_t value)
{
	load(filter, offset);
	put(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

/* The number is loaded, before and after. */
static void allow(struct kp_filter *filter, const struct entry *entry)
{
	uint16_t jump = filter->len;
	size_t at;

	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, entry->nr, 0, 0));
	if (entry->arg != NO_ARG) {
		at = offsetof(struct seccomp_data, args[entry->arg]);
		require(filter, at, entry->mask, entry->value);
		if (entry->address)
			require(filter, at + sizeof(uint32_t), UINT32_MAX, 0);
	}
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter->code[jump].jf = (uint8_t)(filter->len - jump - 1);
}

void kp_filter_build(enum kp_filter_kind kind, struct kp_filter *filter)
{
	struct entry entry;

	filter->len = 0;
	load(filter, offsetof(struct seccomp_data, arch));
	put(filter,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	load(filter, offsetof(struct seccomp_data, nr));
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++)
		if (find(kind, nr, &entry))
			allow(filter, &entry);
	for (size_t i = 0; i < sizeof vsyscalls / sizeof *vsyscalls; i++)
		on(filter, vsyscalls[i], SECCOMP_RET_TRACE);
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

bool kp_filter_has(enum kp_filter_kind kind, uint64_t nr)
{
	struct entry entry;

	return find(kind, nr, &entry);
}

bool kp_filter_permits(enum kp_filter_kind kind, uint64_t nr, const uint64_t args[6])
{
	struct entry entry;

	if (!find(kind, nr, &entry))
		return false;
	return entry.arg == NO_ARG || (((uint32_t)args[entry.arg] & entry.mask) == entry.value &&
				       !(entry.address && args[entry.arg] >> 32));
}
