/* SPDX-License-Identifier: MIT
 *
 * What another build changes; see change.h. The row says which of a call's arguments there are: all
 * numbers and all bytes that it gives are compared, but addresses, which each build has its own of,
 * and bytes that the kernel does not look at, which may be anything.
 */
#include "replay/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "event/command.h"

/* Of open(2): what changes something by itself, and what changes where later writes go. */
#define OPEN_CHANGES (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define OPEN_COMPARED (OPEN_CHANGES | O_EXCL | O_APPEND)
/* Of a call that makes a descriptor: how the process itself will use it. The same in every set. */
#define DESCRIPTOR_OWN (O_CLOEXEC | O_NONBLOCK)
/* User space ends there. */
#define ADDRESS_END (1ull << 47)

/* A call that is being compared. */
struct change {
	struct kp_engine *engine;
	const struct kp_step *step;
	const struct kp_syscall *row;
	const uint64_t *own;
	uint64_t then[6];
	struct kp_command_rule command;
};

struct range {
	uint16_t from, to;
};

/*
 * Bytes of structures that the kernel looks at, where it does not look at all: by include/uapi and
 * the calls' code. Behind padding and members that are only for the way back stands anything.
 */
static const struct shape {
	uint16_t nr;
	uint8_t arg;
	uint8_t len; /* only of such a structure; 0: any */
	struct range ranges[2];
} shapes[] = {
	{KP_NR_fcntl, 2, 32, {{0, 4}, {8, 24}}}, /* struct flock: not l_pid */
	{KP_NR_epoll_ctl, 3, 0, {{0, 4}}},       /* not the data, which come back as they were */
	{KP_NR_mq_open, 3, 0, {{8, 24}}},        /* mq_maxmsg, mq_msgsize */
	{KP_NR_mq_getsetattr, 1, 0, {{0, 8}}},   /* mq_flags */
	/* sigevent: sigev_signo, sigev_notify; the value comes back */
	{KP_NR_timer_create, 1, 0, {{8, 16}}},
	{KP_NR_mq_notify, 1, 0, {{8, 16}}},
	/* siginfo_t: si_errno, si_code; si_pid, si_uid, si_value */
	{KP_NR_rt_sigqueueinfo, 2, 0, {{4, 12}, {16, 32}}},
	{KP_NR_rt_tgsigqueueinfo, 3, 0, {{4, 12}, {16, 32}}},
	{KP_NR_pidfd_send_signal, 2, 0, {{4, 12}, {16, 32}}},
};

/* A connection that goes on in the background has been asked for. */
static bool took_effect(const struct kp_ev_syscall *call)
{
	return kp_call_succeeded(call) || call->ret == -EINPROGRESS;
}

static bool has_command(const struct kp_syscall *row)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].rule == KP_LEN_COMMAND)
			return true;
	return false;
}

static bool command_changes(const struct kp_ev_syscall *call)
{
	struct kp_command_rule rule;
	const char *name;
	uint64_t args[6];

	kp_call_args(call, args);
	return kp_command_find(call->nr, args, call->ret, &rule, &name) && !rule.own &&
	       !(rule.dir & 1 << KP_DIR_OUT);
}

bool kp_change_was_made(const struct kp_session *session, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	struct kp_call_bytes bytes;
	uint64_t args[6];

	if (kp_step_is_exec(step))
		return true;
	if (!row || !(row->traits & KP_TRAIT_CHANGES) || !took_effect(call) ||
	    kp_call_was_refused(call))
		return false;
	if (has_command(row))
		return command_changes(call);
	if (row->traits & KP_TRAIT_OPENS || kp_syscall_flags_arg(row, KP_FLAGS_open) >= 0) {
		bytes = kp_session_call_bytes(session, step);
		return kp_call_open_flags(call, &bytes) & OPEN_CHANGES;
	}
	if (row->traits & KP_TRAIT_ASKS) {
		kp_call_args(call, args);
		return kp_syscall_sets(row, args);
	}
	/* A new descriptor is nothing yet. */
	return row->result != KP_RESULT_FD;
}

/* Adds to what is not covered, each argument of a call once. */
static int tell(const struct change *change, int arg, const char *why)
{
	struct kp_engine *engine = change->engine;
	uint32_t bit = 1u << arg;
	uint8_t *told = &engine->told_args[change->step->call->nr];

	if (*told & bit)
		return 0;
	*told |= (uint8_t)bit;
	if (engine->told_cnt++ < KP_TOLD_MAX)
		kp_engine_uncovered(engine, "%s's %s (call %u), which %s", change->row->name,
				    change->row->arg_names[arg], change->step->call->seq, why);
	return 0;
}

static int not_in_log(const struct change *change, int arg)
{
	return tell(change, arg, "the log does not have");
}

static int differ(const struct change *change, int arg)
{
	if (!(change->row->traits & KP_TRAIT_CHANGES))
		return tell(change, arg, "differs and concerns the process alone");
	return kp_engine_diverge(change->engine, change->step, "%s: argument %d (%s) differs",
				 change->row->name, arg, change->row->arg_names[arg]);
}

/* Whether a word is an address in both: what the build's leads to is its own. */
static bool both_addresses(const struct change *change, uint64_t own, uint64_t then)
{
	char byte;

	return then >= KP_ADDRESS_MIN && then < ADDRESS_END && own >= KP_ADDRESS_MIN &&
	       own < ADDRESS_END &&
	       kp_tracee_read(&change->engine->tracee, own, &byte, sizeof byte) == sizeof byte;
}

/* An argument that says how many bytes or vectors another has: those are compared themselves. */
static bool is_length(const struct change *change, int arg)
{
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *buffer = &change->row->rule.args[i];

		switch ((enum kp_len_rule)buffer->rule) {
		case KP_LEN_ARG:
		case KP_LEN_RET:
		case KP_LEN_MSGBUF:
			/* How many bytes a call gives away is compared with them. */
			if (buffer->len_arg == arg && arg &&
			    (kp_arg_is_output(buffer) || buffer->dir & 1 << KP_DIR_OUT ||
			     buffer->dir & KP_ARG_SOCKADDR))
				return true;
			break;
		case KP_LEN_IOV:
			if (buffer->len_arg == arg)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

/* The command of a call that multiplexes, by which the calls are matched. */
static bool is_command(const struct change *change, int arg)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (change->row->rule.args[i].rule == KP_LEN_COMMAND &&
		    change->row->rule.args[i].len_arg == arg)
			return true;
	return false;
}

/* The bits of a number that are part of the change. */
static uint32_t compared_bits(const struct change *change, int arg)
{
	const struct kp_syscall *row = change->row;
	const struct kp_arg *rule = &row->rule.args[arg];
	int flags = kp_syscall_flags_arg(row, KP_FLAGS_open);

	if (flags == arg)
		return OPEN_COMPARED;
	if (flags >= 0 && rule->type == KP_ARG_OCT) /* otherwise nobody looks at the mode */
		return (change->own[flags] | change->then[flags]) & (OPEN_CHANGES & ~O_TRUNC)
			       ? ALLPERMS
			       : 0;
	if (row->result == KP_RESULT_FD && rule->type == KP_ARG_FLAGS)
		return ~(uint32_t)DESCRIPTOR_OWN;
	return UINT32_MAX;
}

static int check_number(const struct change *change, int arg)
{
	uint64_t own = change->own[arg], then = change->then[arg];

	if (is_length(change, arg) || is_command(change, arg))
		return 0;
	/* Of an int, the upper half of a register may be anything. */
	if (!((uint32_t)(own ^ then) & compared_bits(change, arg)))
		return 0;
	return differ(change, arg);
}

/* A number or an address, as the command has it. */
static int check_word(const struct change *change, int arg)
{
	uint64_t own = change->own[arg], then = change->then[arg];

	if (both_addresses(change, own, then))
		return not_in_log(change, arg);
	if ((uint32_t)own == (uint32_t)then)
		return 0;
	return change->row->traits & KP_TRAIT_WORDS
		       ? tell(change, arg, "differs, if the command has it at all")
		       : differ(change, arg);
}

/* Of a socket's address so many bytes as the kernel looks at. */
static size_t sockaddr_len(const unsigned char *data, size_t len)
{
	const size_t path = offsetof(struct sockaddr_un, sun_path);
	sa_family_t family;

	if (len < sizeof family)
		return len;
	memcpy(&family, data, sizeof family);
	if (family == AF_INET && len > 8)
		return 8; /* not sin_zero */
	if (family == AF_UNIX && len > path && data[path])
		return path + strnlen((const char *)data + path, len - path);
	return len;
}

static int check_sockaddr(const struct change *change, int arg, const struct kp_ev_payload *payload)
{
	unsigned char own[sizeof(struct sockaddr_storage)];
	uint64_t asked = (uint32_t)change->own[change->row->rule.args[arg].len_arg];
	size_t len = asked < sizeof own ? asked : sizeof own, then;

	len = kp_tracee_read(&change->engine->tracee, change->own[arg], own, len);
	len = sockaddr_len(own, len);
	then = sockaddr_len(KP_TAIL(payload), payload->data_len);
	if (len < then)
		return kp_engine_compare(change->engine, change->step, payload, change->own[arg], 0,
					 then) == KP_END
			       ? KP_END
			       : differ(change, arg);
	return len > then ? differ(change, arg)
			  : kp_engine_compare(change->engine, change->step, payload,
					      change->own[arg], 0, then);
}

/* Compares bytes [from, to) of a payload; a word that is an address in both builds is left out. */
static int check_range(const struct change *change, int arg, const struct kp_ev_payload *payload,
		       size_t from, size_t to)
{
	uint64_t addr = change->own[arg] + payload->offset;
	unsigned char own[4096];
	uint64_t word[2];
	size_t n;

	for (; from < to; from += n) {
		n = to - from < sizeof own ? to - from : sizeof own;
		if (kp_tracee_read(&change->engine->tracee, addr + from, own, n) != n)
			return differ(change, arg);
		for (size_t i = 0; i + 8 <= n; i += 8) {
			memcpy(&word[0], own + i, 8);
			memcpy(&word[1], KP_TAIL(payload) + from + i, 8);
			if (word[0] != word[1] && both_addresses(change, word[0], word[1]))
				memcpy(own + i, &word[1], 8);
		}
		if (!memcmp(own, KP_TAIL(payload) + from, n)) {
			change->engine->result->bytes_in += n;
			continue;
		}
		return change->row->traits & KP_TRAIT_CHANGES
			       ? kp_engine_compare(change->engine, change->step, payload,
						   addr + from, from, n)
			       : differ(change, arg);
	}
	return 0;
}

/* Of the two times of a file: with UTIME_NOW or UTIME_OMIT, seconds may be anything. */
static int check_times(const struct change *change, int arg, const struct kp_ev_payload *payload)
{
	struct timespec time;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at + sizeof time <= payload->data_len; at += sizeof time) {
		memcpy(&time, KP_TAIL(payload) + at, sizeof time);
		rc = check_range(change, arg, payload,
				 time.tv_nsec == UTIME_NOW || time.tv_nsec == UTIME_OMIT ? at + 8
											 : at,
				 at + sizeof time);
	}
	return rc;
}

/* struct sock_fprog: behind its length is padding, and an address. */
static bool is_filter(const struct change *change)
{
	return change->step->call->nr == KP_NR_setsockopt && (int)change->then[1] == SOL_SOCKET &&
	       ((int)change->then[2] == SO_ATTACH_FILTER ||
		(int)change->then[2] == SO_ATTACH_REUSEPORT_CBPF);
}

static int check_payload(const struct change *change, int arg, const struct kp_ev_payload *payload)
{
	const uint32_t nr = change->step->call->nr;
	int rc = 0;

	if (payload->data_len < payload->want_len)
		return not_in_log(change, arg);
	if (change->row->rule.args[arg].dir & KP_ARG_SOCKADDR)
		return check_sockaddr(change, arg, payload);
	if (nr == KP_NR_utimensat && payload->offset == 0)
		return check_times(change, arg, payload);
	if (is_filter(change))
		return check_range(change, arg, payload, 0, 2);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const struct shape *shape = &shapes[i];

		if (shape->nr != nr || shape->arg != arg ||
		    (shape->len && shape->len != payload->data_len))
			continue;
		for (int k = 0; rc == 0 && k < 2 && shape->ranges[k].to <= payload->data_len; k++)
			rc = check_range(change, arg, payload, shape->ranges[k].from,
					 shape->ranges[k].to);
		return rc;
	}
	return check_range(change, arg, payload, 0, payload->data_len);
}

/* Bytes that the process gives with its call. */
static int check_bytes(const struct change *change, int arg)
{
	const struct kp_step *step = change->step;
	bool found = false;
	int rc = 0;

	if (!change->own[arg] != !change->then[arg])
		return differ(change, arg);
	if (!change->own[arg])
		return 0;
	for (uint32_t i = 0; rc == 0 && i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload =
			change->engine->session->payloads.at[step->payload + i];

		if (payload->arg != arg || payload->dir != KP_DIR_IN)
			continue;
		found = true;
		rc = check_payload(change, arg, payload);
	}
	/* A call that failed changed nothing by them. */
	return rc || found || !took_effect(step->call) ? rc : not_in_log(change, arg);
}

static int check_buffer(const struct change *change, int arg)
{
	const struct kp_arg *rule = &change->row->rule.args[arg];

	if (rule->rule == KP_LEN_COMMAND) {
		if (change->command.own || change->command.dir & 1 << KP_DIR_OUT)
			return 0;
		return change->command.dir ? check_bytes(change, arg) : check_word(change, arg);
	}
	/* Names have matched; what is given away is compared where it is. */
	if (rule->rule == KP_LEN_STR || kp_arg_is_output(rule) || rule->dir & 1 << KP_DIR_OUT)
		return 0;
	if (change->step->call->nr == KP_NR_epoll_ctl && (int)change->then[1] == 2)
		return 0; /* EPOLL_CTL_DEL looks at no event */
	return check_bytes(change, arg);
}

static int check_argument(const struct change *change, int arg)
{
	switch ((enum kp_arg_type)change->row->rule.args[arg].type) {
	case KP_ARG_INT:
	case KP_ARG_MS:
	case KP_ARG_UINT:
	case KP_ARG_OCT:
	case KP_ARG_FLAGS:
	case KP_ARG_SIG:
		return check_number(change, arg);
	case KP_ARG_HEX:
		if (change->command.own || change->step->call->nr == KP_NR_prctl)
			return 0; /* mostly what the register held */
		return check_word(change, arg);
	case KP_ARG_PTR:
		if (!change->own[arg] != !change->then[arg])
			return differ(change, arg);
		return change->own[arg] ? not_in_log(change, arg) : 0;
	case KP_ARG_BUF:
		return check_buffer(change, arg);
	case KP_ARG_NONE:
	case KP_ARG_OFF: /* by these, and by descriptors, calls are matched */
	case KP_ARG_FD:
		break;
	}
	return 0;
}

int kp_change_check(struct kp_engine *engine, const struct kp_step *step, const uint64_t own[6])
{
	struct change change = {
		.engine = engine, .step = step, .row = kp_syscall_get(step->call->nr), .own = own};
	const char *name;
	int rc = 0;

	if (!change.row || !(change.row->traits & (KP_TRAIT_CHANGES | KP_TRAIT_TUNES)))
		return 0;
	kp_call_args(step->call, change.then);
	kp_command_find(step->call->nr, change.then, step->call->ret, &change.command, &name);
	for (int i = 0; rc == 0 && i < KP_ARG_MAX; i++)
		rc = check_argument(&change, i);
	return rc;
}
