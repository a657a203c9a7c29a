/* SPDX-License-Identifier: MIT
 * The rule of what replay cannot serve; see unreplayable.h.
 */
#include "event/unreplayable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "event/advice.h"
#include "event/command.h"
#include "event/syscall.h"

/* asm/prctl.h; those with segment bases and extended state are served */
#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_REQ_XCOMP_GUEST_PERM 0x1025
/* linux/tcp.h: maps the receive queue */
#define KP_TCP_ZEROCOPY_RECEIVE 35
#define KP_IPPROTO_TCP 6

/* Below it only the privileged map memory, which a replayed process is not (vm.mmap_min_addr). */
#define LOWEST_ADDRESS 65536

bool kp_call_succeeded(const struct kp_ev_syscall *call)
{
	return call->ret >= 0 || call->ret < -4095;
}

bool kp_call_was_refused(const struct kp_ev_syscall *call)
{
	return call->flags & KP_SYSF_NOENTRY;
}

bool kp_call_is_exec(const struct kp_ev_syscall *call)
{
	return kp_syscall_has(call->nr, KP_TRAIT_EXECS) && call->ret == 0 &&
	       !kp_call_was_refused(call);
}

bool kp_call_is_vsyscall(const struct kp_ev_syscall *call)
{
	return call->nr >= KP_NR_VSYSCALL && call->nr < KP_NR_VSYSCALL + 3;
}

bool kp_payload_is_output(const struct kp_ev_payload *payload)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);

	return row && payload->arg < KP_ARG_MAX && payload->dir == KP_DIR_IN &&
	       kp_arg_is_output(&row->rule.args[payload->arg]);
}

/* Of an open: /proc/self/mem or another name of it, and the first word of struct open_how. */
static void add_opened(struct kp_call_bytes *bytes, const struct kp_ev_payload *payload)
{
	const char *path = (const char *)KP_TAIL(payload);
	char own[32];

	if (payload->offset || !payload->data_len)
		return;
	if (payload->nr == KP_NR_openat2 && payload->arg == 2 &&
	    payload->data_len >= sizeof bytes->open_flags)
		memcpy(&bytes->open_flags, path, sizeof bytes->open_flags);
	if (path[payload->data_len - 1])
		return;
	snprintf(own, sizeof own, "/proc/%u/mem", payload->hdr.pid);
	bytes->own_memory |= !strcmp(path, "/proc/self/mem") ||
			     !strcmp(path, "/proc/thread-self/mem") || !strcmp(path, own);
}

void kp_call_bytes_add(struct kp_call_bytes *bytes, const struct kp_ev_payload *payload)
{
	bool parameter = payload->dir == KP_DIR_IN && !kp_payload_is_output(payload);

	if (parameter && kp_syscall_has(payload->nr, KP_TRAIT_OPENS))
		add_opened(bytes, payload);
	if (payload->nr == KP_NR_clone3 && parameter && !payload->offset &&
	    payload->data_len >= sizeof bytes->clone_flags)
		memcpy(&bytes->clone_flags, KP_TAIL(payload), sizeof bytes->clone_flags);
	if (payload->want_len <= payload->data_len)
		return;
	if (parameter)
		bytes->parameter_missing = true;
	else
		bytes->missing += payload->want_len - payload->data_len;
}

uint64_t kp_call_clone_flags(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes)
{
	switch (call->nr) {
	case KP_NR_vfork:
		return CLONE_VM | CLONE_VFORK;
	case KP_NR_clone:
		return call->arg0;
	case KP_NR_clone3:
		return bytes->clone_flags;
	}
	return 0;
}

uint64_t kp_call_open_flags(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes)
{
	int arg = kp_syscall_flags_arg(kp_syscall_get(call->nr), KP_FLAGS_open);
	const uint64_t args[KP_ARG_MAX] = {call->arg0, call->arg1, call->arg2,
					   call->arg3, call->arg4, call->arg5};

	if (arg >= 0)
		return args[arg];
	return call->nr == KP_NR_creat ? O_CREAT | O_WRONLY | O_TRUNC : bytes->open_flags;
}

/* Children that share the memory; a vfork's parent waits until it is its own again. */
static const char *clone_reason(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes)
{
	uint64_t flags = kp_call_clone_flags(call, bytes);

	if (flags & CLONE_THREAD)
		return "started a thread and is multi-threaded";
	if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		return "started a child that shares its memory";
	return NULL;
}

/* Memory that is no file's: the kernel writes to it, or replay may not have it there. */
static const char *mapping_reason(const struct kp_ev_syscall *call)
{
	if (call->ret >= 0 && call->ret < LOWEST_ADDRESS)
		return "mapped memory at an address below 64 KiB";
	if (call->nr != KP_NR_mmap || call->arg3 & MAP_ANONYMOUS)
		return NULL;
	switch (call->obj) {
	case KP_OBJ_anon:
		return "mapped memory of the kernel's own (a ring of perf_event, for one)";
	case KP_OBJ_unix:
	case KP_OBJ_tcp:
	case KP_OBJ_udp:
	case KP_OBJ_sock:
		return "mapped a socket's memory (a ring of AF_PACKET or AF_XDP, for one)";
	}
	return NULL;
}

/* Arguments that make a call one that cannot be served, though its row can. */
static const char *argument_reason(const struct kp_ev_syscall *call,
				   const struct kp_call_bytes *bytes)
{
	switch (call->nr) {
	case KP_NR_clone:
	case KP_NR_clone3:
		return clone_reason(call, bytes);
	case KP_NR_arch_prctl:
		if ((call->arg0 < ARCH_SET_GS || call->arg0 > ARCH_GET_GS) &&
		    (call->arg0 < ARCH_GET_XCOMP_SUPP || call->arg0 > ARCH_REQ_XCOMP_GUEST_PERM))
			return "used arch_prctl for more than segments and register state";
		break;
	case KP_NR_seccomp:
		if (call->arg0 == SECCOMP_SET_MODE_FILTER &&
		    call->arg1 & SECCOMP_FILTER_FLAG_NEW_LISTENER)
			return "has its calls answered by another process (seccomp notification)";
		break;
	case KP_NR_madvise:
		if (kp_advice_effect((uint32_t)call->arg2) == KP_ADVICE_BREAKS)
			return "gave advice of a kind that is not known, or poisoned memory "
			       "(madvise)";
		break;
	case KP_NR_getsockopt:
		if ((int)call->arg1 == SOL_SOCKET && (int)call->arg2 == SO_GET_FILTER)
			return "used getsockopt SO_GET_FILTER";
		if ((int)call->arg1 == KP_IPPROTO_TCP && (int)call->arg2 == KP_TCP_ZEROCOPY_RECEIVE)
			return "used getsockopt TCP_ZEROCOPY_RECEIVE";
		break;
	case KP_NR_mmap:
	case KP_NR_mremap:
	case KP_NR_shmat:
		return mapping_reason(call);
	case KP_NR_pkey_mprotect: /* key 0 is the one that all memory has */
		if (call->arg3 && (int)call->arg3 != -1)
			return "used protection keys";
		break;
	case KP_NR_memfd_create:
		if (call->arg1 & MFD_HUGETLB)
			return "made a file of huge pages (MFD_HUGETLB)";
		break;
	case KP_NR_process_vm_writev:
		if (call->arg0 == call->hdr.pid)
			return "wrote its own memory by process_vm_writev";
		break;
	}
	return NULL;
}

/* A command of a multiplexing call. */
static bool command_reason(const struct kp_ev_syscall *call, char reason[KP_REASON_LEN])
{
	const uint64_t args[KP_ARG_MAX] = {call->arg0, call->arg1, call->arg2,
					   call->arg3, call->arg4, call->arg5};
	struct kp_command_rule rule;
	const char *name;

	if (!kp_command_find(call->nr, args, call->ret, &rule, &name) || !rule.refuse)
		return false;
	if (name)
		snprintf(reason, KP_REASON_LEN, "used %s %s", kp_syscall_name(call->nr), name);
	else
		snprintf(reason, KP_REASON_LEN, "used %s 0x%x, which has no row in the table",
			 kp_syscall_name(call->nr),
			 (unsigned)(call->nr == KP_NR_prctl ? args[0] : args[1]));
	return true;
}

static bool bytes_reason(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes,
			 char reason[KP_REASON_LEN])
{
	bool incomplete = call->flags & KP_SYSF_INCOMPLETE && !bytes->parameter_missing;

	if (!bytes->missing && !incomplete)
		return false;
	if (bytes->missing)
		snprintf(reason, KP_REASON_LEN,
			 "called %s, of which %llu bytes could not be recorded",
			 kp_syscall_name(call->nr), (unsigned long long)bytes->missing);
	else
		snprintf(reason, KP_REASON_LEN,
			 "called %s with more bytes than are recorded of one call (64 MiB)",
			 kp_syscall_name(call->nr));
	return true;
}

/* A failed call of which it is not recorded what it left: bpf has a log of why it refuses a
 * program, behind a pointer of its structure. Who is not allowed to call it gets none. */
static bool may_have_written(const struct kp_ev_syscall *call)
{
	return call->nr == KP_NR_bpf && !kp_call_was_refused(call) && call->ret != -EPERM &&
	       call->ret != -ENOSYS;
}

bool kp_call_unreplayable(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes,
			  char reason[KP_REASON_LEN])
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	const char *text = NULL;

	/* Those with a row are answered where they are made; no other one has an answer. */
	if (call->flags & KP_SYSF_I386 && (!row || kp_syscall_restarts(call->ret))) {
		snprintf(reason, KP_REASON_LEN,
			 "made a 32-bit call (int 0x80, or a program of 32 bits)");
		return true;
	}
	if (kp_call_is_vsyscall(call)) {
		snprintf(reason, KP_REASON_LEN,
			 "asked the vsyscall page for the time or its CPU (an old C library does)");
		return true;
	}
	if (!kp_call_succeeded(call) && may_have_written(call)) {
		snprintf(reason, KP_REASON_LEN,
			 "called %s, which failed and may have written what is not recorded",
			 kp_syscall_name(call->nr));
		return true;
	}
	if (!kp_call_succeeded(call) || kp_call_was_refused(call))
		return false;
	if (!row || row->action == KP_ACT_REFUSE) {
		snprintf(reason, KP_REASON_LEN, "called %s%s", kp_syscall_name(call->nr),
			 row ? "" : ", whose number is not in the table");
		return true;
	}
	text = argument_reason(call, bytes);
	if (text)
		snprintf(reason, KP_REASON_LEN, "%s", text);
	return text || command_reason(call, reason) || bytes_reason(call, bytes, reason);
}
