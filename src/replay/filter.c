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
#include <sys/mman.h>
#include <sys/syscall.h>

#include "event/syscall.h"

#define KIND(name) (1u << KP_FILTER_##name)
#define EVERY (KIND(REPLAY) | KIND(LOADER) | KIND(BUILD))
#define NO_ARG (-1)

/*
 * A call that the replayer has the process run besides the table's. Where arg names one, its lower
 * half under mask must be value.
 */
struct entry {
	uint16_t nr;
	uint16_t kinds;
	int arg;
	uint32_t mask;
	uint32_t value;
};

#define READ_ONLY (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct entry entries[] = {
	{SYS_mmap, KIND(REPLAY) | KIND(BUILD), NO_ARG, 0, 0},
	{SYS_mmap, KIND(LOADER), 3, MAP_SHARED, 0},
	{SYS_munmap, EVERY, NO_ARG, 0, 0},
	{SYS_mremap, EVERY, NO_ARG, 0, 0},
	{SYS_mprotect, EVERY, NO_ARG, 0, 0},
	{SYS_madvise, EVERY, NO_ARG, 0, 0},
	{462 /* mseal, since Linux 6.10 */, KIND(REPLAY), NO_ARG, 0, 0},
	{SYS_arch_prctl, EVERY, NO_ARG, 0, 0},
	/* Of a descriptor that the process began with; never of a path. */
	{SYS_execveat, KIND(REPLAY) | KIND(LOADER), 4, UINT32_MAX, AT_EMPTY_PATH},
	{SYS_exit_group, EVERY, NO_ARG, 0, 0},
	{SYS_brk, KIND(LOADER) | KIND(BUILD), NO_ARG, 0, 0},
	{SYS_open, KIND(LOADER), 1, READ_ONLY, O_RDONLY},
	{SYS_openat, KIND(LOADER), 2, READ_ONLY, O_RDONLY},
	{SYS_close, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_read, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_pread64, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_fstat, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_newfstatat, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_access, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_readlink, KIND(LOADER), NO_ARG, 0, 0},
	{SYS_prlimit64, KIND(LOADER), 2, UINT32_MAX, 0},
	/* The stricter list that follows the loader's. */
	{SYS_seccomp, KIND(LOADER), 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER},
};

/* arch/x86/entry/vsyscall/vsyscall_64.c */
static const uint16_t vsyscalls[] = {SYS_gettimeofday, SYS_time, SYS_getcpu};

static bool table_runs(uint64_t nr)
{
	const struct kp_syscall *row = nr < KP_SYSCALL_MAX ? kp_syscall_get((unsigned)nr) : NULL;

	return row && row->action == KP_ACT_EXECUTE;
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

/* The number is loaded, before and after. */
static void allow(struct kp_filter *filter, const struct entry *entry)
{
	if (entry->arg == NO_ARG) {
		on(filter, entry->nr, SECCOMP_RET_ALLOW);
		return;
	}
	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, entry->nr, 0, 5));
	load(filter, offsetof(struct seccomp_data, args[entry->arg]));
	put(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, entry->mask));
	on(filter, entry->value, SECCOMP_RET_ALLOW);
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

void kp_filter_build(enum kp_filter_kind kind, struct kp_filter *filter)
{
	filter->len = 0;
	load(filter, offsetof(struct seccomp_data, arch));
	put(filter,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	load(filter, offsetof(struct seccomp_data, nr));
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++)
		if (table_runs(nr))
			on(filter, nr, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		if (entries[i].kinds & 1u << kind)
			allow(filter, &entries[i]);
	for (size_t i = 0; i < sizeof vsyscalls / sizeof *vsyscalls; i++)
		on(filter, vsyscalls[i], SECCOMP_RET_TRACE);
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

static const struct entry *find(enum kp_filter_kind kind, uint64_t nr)
{
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		if (entries[i].nr == nr && entries[i].kinds & 1u << kind)
			return &entries[i];
	return NULL;
}

bool kp_filter_has(enum kp_filter_kind kind, uint64_t nr)
{
	return table_runs(nr) || find(kind, nr);
}

bool kp_filter_permits(enum kp_filter_kind kind, uint64_t nr, const uint64_t args[6])
{
	const struct entry *entry = find(kind, nr);

	if (!entry)
		return table_runs(nr);
	return entry->arg == NO_ARG || ((uint32_t)args[entry->arg] & entry->mask) == entry->value;
}
