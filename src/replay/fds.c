/* SPDX-License-Identifier: MIT
 * Follows descriptors through a process's calls; see fds.h.
 *
 * A new descriptor can only get a number that was closed before, so calls that make one need no
 * attention.
 */
#include "replay/fds.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event/syscall.h"
#include "event/unreplayable.h"

#define CLOSE_RANGE_CLOEXEC_BIT 4u

void kp_fds_init(struct kp_fds *fds)
{
	for (uint32_t fd = 0; fd < KP_FDS_MAX; fd++)
		fds->at[fd] = (struct kp_fd){.file = fd + 1};
}

static uint32_t file_of(const struct kp_fds *fds, uint64_t fd)
{
	uint32_t number = (uint32_t)fd;

	return number < KP_FDS_MAX ? fds->at[number].file : 0;
}

int kp_fds_stream(const struct kp_fds *fds, uint64_t fd)
{
	uint32_t file = file_of(fds, fd);

	return file == STDOUT_FILENO + 1 || file == STDERR_FILENO + 1 ? (int)file - 1 : 0;
}

void kp_fds_put(struct kp_fds *fds, uint64_t fd, uint32_t file, bool cloexec)
{
	if ((uint32_t)fd < KP_FDS_MAX)
		fds->at[(uint32_t)fd] = (struct kp_fd){file, cloexec};
}

static void copy(struct kp_fds *fds, uint64_t from, uint64_t to, bool cloexec)
{
	/* dup2 of a descriptor onto itself changes nothing. */
	if ((uint32_t)from != (uint32_t)to)
		kp_fds_put(fds, to, file_of(fds, from), cloexec);
}

static void set_cloexec(struct kp_fds *fds, uint64_t fd, bool cloexec)
{
	if ((uint32_t)fd < KP_FDS_MAX)
		fds->at[(uint32_t)fd].cloexec = cloexec;
}

/* A descriptor's number; -1: one that is not followed, or no number. */
static int number_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return *end || number >= KP_FDS_MAX ? -1 : (int)number;
}

/* The number of the descriptor that a path names, or -1. */
static int named_descriptor(const char *path, uint32_t pid)
{
	static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
	char own[32];
	const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", own};

	snprintf(own, sizeof own, "/proc/%u/fd/", pid);
	for (int i = 0; i < 3; i++)
		if (!strcmp(path, names[i]))
			return i;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		size_t len = strlen(folders[i]);

		if (!strncmp(path, folders[i], len) && isdigit((unsigned char)path[len]))
			return number_of(path + len);
	}
	return -1;
}

void kp_fds_opened(struct kp_fds *fds, const char *path, uint32_t pid, uint64_t fd, bool cloexec)
{
	int from = named_descriptor(path, pid);

	if (from >= 0)
		copy(fds, (uint64_t)from, fd, cloexec);
}

bool kp_fds_asks_cloexec(unsigned nr, const uint64_t args[KP_ARG_MAX])
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	/* All sets of flags have the same bit, but that of memfd_create. */
	uint64_t flag = nr == KP_NR_memfd_create ? MFD_CLOEXEC : O_CLOEXEC;

	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == KP_ARG_FLAGS && args[i] & flag)
			return true;
	return false;
}

static void exec_apply(struct kp_fds *fds)
{
	for (int fd = 0; fd < KP_FDS_MAX; fd++)
		if (fds->at[fd].cloexec)
			fds->at[fd] = (struct kp_fd){0};
}

static void close_range_apply(struct kp_fds *fds, const uint64_t args[KP_ARG_MAX])
{
	uint32_t last = (uint32_t)args[1];

	for (uint32_t fd = (uint32_t)args[0]; fd <= last && fd < KP_FDS_MAX; fd++) {
		if (args[2] & CLOSE_RANGE_CLOEXEC_BIT)
			fds->at[fd].cloexec = true;
		else
			fds->at[fd].file = 0;
	}
}

static void fcntl_apply(struct kp_fds *fds, const struct kp_ev_syscall *call,
			const uint64_t args[KP_ARG_MAX])
{
	switch ((int)args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		copy(fds, args[0], (uint64_t)call->ret, (int)args[1] == F_DUPFD_CLOEXEC);
		break;
	case F_SETFD:
		set_cloexec(fds, args[0], args[2] & FD_CLOEXEC);
		break;
	}
}

void kp_fds_apply_as(struct kp_fds *fds, const struct kp_ev_syscall *call,
		     const uint64_t args[KP_ARG_MAX])
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	/* Linux closes the descriptor even when close reports an error. */
	if (!row || kp_call_was_refused(call) || (call->ret < 0 && call->nr != KP_NR_close))
		return;
	if (row->traits & KP_TRAIT_DUPS)
		copy(fds, args[kp_syscall_arg(row, KP_ARG_FD)], (uint64_t)call->ret,
		     kp_fds_asks_cloexec(call->nr, args));
	else if (kp_call_is_exec(call))
		exec_apply(fds);
	else if (call->nr == KP_NR_close)
		kp_fds_put(fds, args[0], 0, false);
	else if (call->nr == KP_NR_close_range)
		close_range_apply(fds, args);
	else if (call->nr == KP_NR_fcntl)
		fcntl_apply(fds, call, args);
	else if (call->nr == KP_NR_ioctl &&
		 ((uint32_t)args[1] == FIOCLEX || (uint32_t)args[1] == FIONCLEX))
		set_cloexec(fds, args[0], (uint32_t)args[1] == FIOCLEX);
}

void kp_fds_apply(struct kp_fds *fds, const struct kp_ev_syscall *call)
{
	const uint64_t args[KP_ARG_MAX] = {call->arg0, call->arg1, call->arg2,
					   call->arg3, call->arg4, call->arg5};

	kp_fds_apply_as(fds, call, args);
}
