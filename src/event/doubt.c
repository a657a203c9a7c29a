/* SPDX-License-Identifier: MIT
 * The rule of what replay cannot vouch for; see doubt.h.
 */
#include "event/doubt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>

#include "event/syscall.h"

#ifndef FALLOC_FL_WRITE_ZEROES /* since Linux 6.17 */
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

/* What a NULL leads to is nobody's memory (vm.mmap_min_addr). */
#define LOWEST_ADDRESS 65536

bool kp_call_tore(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	const uint64_t args[KP_ARG_MAX] = {call->arg0, call->arg1, call->arg2,
					   call->arg3, call->arg4, call->arg5};

	if (call->ret != -EFAULT || !row || kp_call_was_refused(call))
		return false;
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == KP_ARG_BUF &&
		    row->rule.args[i].dir & 1 << KP_DIR_OUT && args[i] >= LOWEST_ADDRESS)
			return true;
	return false;
}

bool kp_call_opens_own_memory(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes)
{
	return call->ret >= 0 && bytes->own_memory && kp_syscall_has(call->nr, KP_TRAIT_OPENS) &&
	       (kp_call_open_flags(call, bytes) & O_ACCMODE) != O_RDONLY;
}

/* ioctls that change a file's content or length (linux/fs.h, linux/falloc.h); the log has no more.
 */
static bool changes_file(uint32_t command)
{
	static const uint32_t changing[] = {
		0x40049409, /* FICLONE */
		0x4020940d, /* FICLONERANGE */
		0x40305828, /* FS_IOC_RESVSP */
		0x4030582a, /* FS_IOC_RESVSP64 */
		0x40305829, /* FS_IOC_UNRESVSP */
		0x4030582b, /* FS_IOC_UNRESVSP64 */
		0x40305839, /* FS_IOC_ZERO_RANGE */
		0xc028660f, /* EXT4_IOC_MOVE_EXT */
		0x6611,     /* EXT4_IOC_SWAP_BOOT */
	};

	for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
		if (changing[i] == command)
			return true;
	return false;
}

static bool is_known_allocation(uint32_t mode)
{
	switch (mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_UNSHARE_RANGE:
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_WRITE_ZEROES:
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return true;
	}
	return false;
}

bool kp_call_changes_unseen(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	if (!row || !kp_call_succeeded(call))
		return false;
	switch (call->nr) {
	case KP_NR_ioctl:
		return changes_file((uint32_t)call->arg1);
	case KP_NR_fallocate:
		return !is_known_allocation((uint32_t)call->arg1);
	case KP_NR_mmap:
	case KP_NR_ftruncate:
		return false;
	}
	if (!call->ret || kp_syscall_has(call->nr, KP_TRAIT_OPENS))
		return false;
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (kp_arg_is_output(&row->rule.args[i]))
			return false;
	return true;
}

bool kp_call_doubtful(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes,
		      char reason[KP_REASON_LEN])
{
	if (kp_call_tore(call))
		snprintf(reason, KP_REASON_LEN,
			 "called %s, which gave EFAULT and may have stored what is not recorded",
			 kp_syscall_name(call->nr));
	else if (kp_call_opens_own_memory(call, bytes))
		snprintf(reason, KP_REASON_LEN,
			 "opened its memory as a file, and what it writes there is not served");
	else if (call->nr == KP_NR_truncate && call->ret == 0 && !kp_call_was_refused(call))
		snprintf(reason, KP_REASON_LEN,
			 "truncated a file by its path, and it is not recorded whether that is one "
			 "that it has mapped");
	else
		return false;
	return true;
}

bool kp_signal_ends_nobody(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return true;
	}
	return false;
}

bool kp_signal_leaves_no_trace(const struct kp_ev_signal_deliver *deliver)
{
	return deliver->handler == 1 ||
	       (deliver->handler == 0 && kp_signal_ends_nobody((int)deliver->sig));
}

bool kp_signal_is_fault(const struct kp_ev_signal_deliver *deliver)
{
	switch (deliver->sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		return deliver->code > 0;
	}
	return false;
}

bool kp_signal_is_between(const struct kp_ev_signal_deliver *deliver)
{
	const struct kp_pt_regs *regs = (const void *)KP_TAIL(deliver);

	if (deliver->sig == SIGKILL || deliver->data_len < sizeof(*regs))
		return false;
	return (int64_t)regs->orig_ax < 0 && !kp_signal_is_fault(deliver) &&
	       !kp_signal_leaves_no_trace(deliver);
}
