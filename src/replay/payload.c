/* SPDX-License-Identifier: MIT
 *
 * The bytes of calls: what the process gets and what it gives. A payload names its own address; a
 * write goes through the process's page tables only.
 *
 * Out payloads are written first: a buffer that serves both ways (nanosleep's) was captured as the
 * kernel left it.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/card.h"
#include "event/command.h"
#include "replay/engine.h"

#define MMSGHDR_LEN 64u
#define MMSGHDR_MSG_LEN 56u /* offset of msg_len, the kernel's in struct mmsghdr */

const struct kp_arg *kp_payload_rule(const struct kp_ev_payload *payload)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);

	return row && payload->arg < KP_ARG_MAX ? &row->rule.args[payload->arg] : NULL;
}

/* Direction in which the bytes behind an argument were captured: what both sides use, as left. */
static int captured_dir(const struct kp_ev_syscall *call, const struct kp_arg *arg,
			const struct kp_command_rule *command)
{
	uint8_t dir = arg->rule == KP_LEN_COMMAND ? command->dir : arg->dir;

	if (arg->dir & KP_ARG_FAILS && !kp_call_succeeded(call))
		return KP_DIR_OUT;
	return dir & 1 << KP_DIR_OUT ? KP_DIR_OUT : KP_DIR_IN;
}

/* The bytes that the log must have behind argument i, where a number says how many; else 0. */
static uint64_t expected_len(const struct kp_ev_syscall *call, const struct kp_arg *arg,
			     const uint64_t args[6], const struct kp_command_rule *command)
{
	uint64_t len;

	switch ((enum kp_len_rule)arg->rule) {
	case KP_LEN_FIXED:
		return arg->unit;
	case KP_LEN_RET:
		len = (uint64_t)call->ret * arg->unit;
		return arg->len_arg && args[arg->len_arg] * arg->unit < len
			       ? args[arg->len_arg] * arg->unit
			       : len;
	case KP_LEN_ARG:
		return args[arg->len_arg] * arg->unit;
	case KP_LEN_IF:
		return args[arg->len_arg] & arg->unit ? 4 : 0;
	case KP_LEN_CLONE:
		return args[arg->len_arg];
	case KP_LEN_IOV: /* what was received may be cut (MSG_TRUNC), what was sent was there */
		return arg->dir & 1 << KP_DIR_IN ? (uint64_t)call->ret : 0;
	case KP_LEN_MSG:
		return sizeof(struct msghdr) +
		       (arg->dir & 1 << KP_DIR_IN ? (uint64_t)call->ret : 0);
	case KP_LEN_MMSG:
		return (uint64_t)call->ret * MMSGHDR_LEN;
	case KP_LEN_MSGBUF:
		return 8 + (arg->dir & 1 << KP_DIR_OUT ? (uint64_t)call->ret : args[arg->len_arg]);
	case KP_LEN_COMMAND:
		return command->dir ? command->len : 0;
	default:
		return 0;
	}
}

/* Whether the row has an argument whose length stands behind this one, in a u32. */
static bool holds_length(const struct kp_syscall *row, int arg)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].rule == KP_LEN_U32AT && row->rule.args[i].len_arg == arg)
			return true;
	return false;
}

static struct kp_command_rule command_of(const struct kp_ev_syscall *call, const uint64_t args[6])
{
	struct kp_command_rule rule = {0};
	const char *name;

	kp_command_find(call->nr, args, call->ret, &rule, &name);
	return rule;
}

/* Whether bytes behind an argument may be elsewhere: the process's own structs say where. */
static bool leads_on(const struct kp_arg *arg, const struct kp_ev_payload *payload)
{
	if (arg->rule == KP_LEN_COMMAND || arg->rule == KP_LEN_CLONE)
		return payload->idx && payload->dir == KP_DIR_OUT;
	return arg->rule == KP_LEN_IOV || arg->rule == KP_LEN_MSG || arg->rule == KP_LEN_MMSG;
}

/* Whether these are the call's bytes; what restart_syscall takes up again names the call that had
 * begun it. */
static bool is_calls(const struct kp_ev_syscall *call, const struct kp_ev_payload *payload)
{
	return payload->nr == call->nr || call->nr == KP_NR_restart_syscall;
}

/*
 * Whether the bytes are what the call's row says: of this call, behind one of its buffers, in its
 * direction, at its place. Those of vectors are where the process's own vectors say.
 */
static bool belongs(const struct kp_ev_syscall *call, const struct kp_ev_payload *payload)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);
	struct kp_command_rule command;
	const struct kp_arg *arg;
	uint64_t args[6];

	if (!row || !is_calls(call, payload) || payload->arg >= KP_ARG_MAX)
		return false;
	kp_call_args(call, args);
	arg = &row->rule.args[payload->arg];
	if (arg->type != KP_ARG_BUF)
		return holds_length(row, payload->arg) && payload->dir == KP_DIR_OUT &&
		       payload->data_len <= 4 && payload->addr == args[payload->arg];
	command = command_of(call, args);
	if (leads_on(arg, payload))
		return arg->rule == KP_LEN_CLONE ||
		       payload->dir == captured_dir(call, arg, &command);
	/* restart_syscall's record has no arguments: those are in the record of what it takes up.
	 */
	return payload->dir == captured_dir(call, arg, &command) &&
	       (call->nr == KP_NR_restart_syscall ||
		payload->addr == args[payload->arg] + payload->offset);
}

/* Refuses unless each argument of a successful call has as many bytes as it must have. */
static int check_lengths(struct kp_engine *engine, const struct kp_ev_syscall *call,
			 const uint64_t have[KP_ARG_MAX])
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	struct kp_command_rule command;
	uint64_t args[6];

	if (!row)
		return 0; /* act() refuses it */
	kp_call_args(call, args);
	command = command_of(call, args);
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (args[i] && row->rule.args[i].type == KP_ARG_BUF &&
		    have[i] < expected_len(call, &row->rule.args[i], args, &command))
			return kp_engine_refuse(
				engine,
				"call %u (%s): what stood behind argument %d is not in the log",
				call->seq, row->name, i);
	return 0;
}

int kp_engine_check_bytes(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t have[KP_ARG_MAX] = {0};

	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload =
			engine->session->payloads.at[step->payload + i];
		bool parameter = payload->dir == KP_DIR_IN && !kp_payload_is_output(payload);

		if (!belongs(call, payload))
			return kp_engine_refuse(
				engine,
				"call %u (%s): the log has bytes with it that are not this call's",
				call->seq, kp_syscall_name(call->nr));
		/* A parameter that could not be read is not compared, and that is all. */
		have[payload->arg] += parameter ? payload->want_len : payload->data_len;
	}
	if (!kp_call_succeeded(call))
		return 0;
	return check_lengths(engine, call, have);
}

static void print_bytes(struct kp_buf *out, const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		kp_buf_printf(out, "%s%02x", i ? " " : "", data[i]);
	kp_buf_puts(out, "  |");
	for (size_t i = 0; i < len; i++)
		kp_buf_putc(out, data[i] >= ' ' && data[i] < 127 ? (char)data[i] : '.');
	kp_buf_putc(out, '|');
}

/*
 * The verdict for a buffer that is not as recorded from byte `at` on. got holds what the process
 * has of bytes begin to got_end; end is how far the comparison went.
 */
static int differ(struct kp_engine *engine, const struct kp_step *step,
		  const struct kp_ev_payload *payload, const unsigned char *got, size_t begin,
		  size_t got_end, size_t end, size_t at)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);
	const char *name = row && payload->arg < KP_ARG_MAX ? row->arg_names[payload->arg] : NULL;
	size_t from = (at & ~7ull) > begin ? at & ~7ull : begin;
	size_t to = end - from > 16 ? from + 16 : end;
	struct kp_buf *out = &engine->result->evidence;

	engine->result->differs_at = payload->offset + at;
	kp_buf_printf(out, "  recorded, from byte %zu: ", payload->offset + from);
	print_bytes(out, KP_TAIL(payload) + from, to - from);
	kp_buf_printf(out, "\n  replayed, from byte %zu: ", payload->offset + from);
	if (got_end > from)
		print_bytes(out, got + from, got_end < to ? got_end - from : to - from);
	kp_buf_puts(out, got_end < to ? " and then memory that is not readable\n" : "\n");
	return kp_engine_diverge(engine, step,
				 "%s: byte %zu behind argument %d (%s) differs from the recording",
				 kp_syscall_name(payload->nr), payload->offset + at, payload->arg,
				 name ? name : "?");
}

/* Whether a byte is as recorded, as far as that can be told: of one that is masked, that it was a
 * digit. */
static bool is_same(const struct kp_ev_payload *payload, unsigned char want, unsigned char got)
{
	return got == want || (payload->masked && want == KP_CARD_MASK && got >= '0' && got <= '9');
}

int kp_engine_compare(struct kp_engine *engine, const struct kp_step *step,
		      const struct kp_ev_payload *payload, uint64_t addr, size_t from, size_t len)
{
	static unsigned char got[KP_DATA_MAX];
	const unsigned char *want = KP_TAIL(payload);
	size_t end = from + len, n, at = from;

	n = from + kp_tracee_read(&engine->tracee, addr, got + from, len);
	if (n == end && !memcmp(got + from, want + from, len))
		at = end;
	while (at < n && is_same(payload, want[at], got[at]))
		at++;
	if (at == end) {
		engine->result->bytes_in += len;
		return 0;
	}
	return differ(engine, step, payload, got, from, n, end, at);
}

/* sendmmsg's headers are inputs in which the kernel sets one number. */
static void set_msg_len(struct kp_engine *engine, const struct kp_ev_payload *payload)
{
	if (payload->nr == KP_NR_sendmmsg && payload->data_len == MMSGHDR_LEN &&
	    payload->arg == 1 && !(payload->idx & (KP_IDX_VECTOR - 1)))
		kp_tracee_write(&engine->tracee, payload->addr + MMSGHDR_MSG_LEN,
				KP_TAIL(payload) + MMSGHDR_MSG_LEN, 4);
}

/*
 * Whether the process has the bytes now. More may be captured than the kernel wrote, so they may be
 * where nobody can write and be there anyhow: a time that ran out behind a constant timeout.
 */
static bool put(struct kp_engine *engine, const struct kp_ev_payload *payload)
{
	static unsigned char got[KP_DATA_MAX];
	size_t len = payload->data_len;

	return kp_tracee_write(&engine->tracee, payload->addr, KP_TAIL(payload), len) == 0 ||
	       (kp_tracee_read(&engine->tracee, payload->addr, got, len) == len &&
		!memcmp(got, KP_TAIL(payload), len));
}

int kp_engine_move_bytes(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_payload *const *payloads = engine->session->payloads.at + step->payload;
	int rc;

	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload = payloads[i];

		if (payload->dir == KP_DIR_IN) {
			set_msg_len(engine, payload);
			continue;
		}
		if (!payload->data_len)
			continue;
		if (!put(engine, payload))
			return kp_engine_refuse(
				engine,
				"call %u (%s): %u recorded bytes have no place at 0x%llx: the "
				"process's memory is not made as it was",
				step->call->seq, kp_syscall_name(payload->nr), payload->data_len,
				(unsigned long long)payload->addr);
		engine->result->bytes_out += payload->data_len;
	}
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		if (payloads[i]->dir != KP_DIR_IN ||
		    kp_files_lends(engine->files, &engine->tracee, step, payloads[i]))
			continue;
		rc = kp_engine_compare(engine, step, payloads[i], payloads[i]->addr, 0,
				       payloads[i]->data_len);
		if (rc)
			return rc;
	}
	return 0;
}

void kp_engine_emit(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	int stream;

	if (!row || call->ret <= 0)
		return;
	if (kp_syscall_has(call->nr, KP_TRAIT_KERNEL_COPIES)) {
		engine->result->bytes_unseen += call->ret;
		return;
	}
	if (row->rule.args[0].type != KP_ARG_FD)
		return;
	stream = kp_fds_stream(&engine->fds, call->arg0);
	if (!stream || !engine->options->output)
		return;
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload =
			engine->session->payloads.at[step->payload + i];
		const struct kp_arg *arg = kp_payload_rule(payload);

		if (payload->dir == KP_DIR_IN && arg &&
		    (arg->rule == KP_LEN_RET || arg->rule == KP_LEN_IOV))
			engine->options->output(stream, KP_TAIL(payload), payload->data_len,
						engine->options->arg);
	}
}
