/* SPDX-License-Identifier: MIT
 *
 * The bytes of calls: what the process gets and what it gives. A payload names its own address; a
 * write goes through the process's page tables only.
 *
 * Out payloads are written first: a buffer that serves both ways (nanosleep's) was captured as the
 * kernel left it.
 */
#include <string.h>
#include <sys/syscall.h>

#include "kprobe/command.h"
#include "replay/engine.h"

#define MMSGHDR_LEN 64u
#define MMSGHDR_MSG_LEN 56u /* offset of msg_len, the kernel's in struct mmsghdr */

const struct kp_arg *kp_payload_rule(const struct kp_ev_payload *payload)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);

	return row && payload->arg < KP_ARG_MAX ? &row->rule.args[payload->arg] : NULL;
}

/* Whether the bytes are data that the process sends somewhere, rather than a parameter. */
bool kp_payload_is_output(const struct kp_ev_payload *payload)
{
	const struct kp_arg *arg = kp_payload_rule(payload);

	if (!arg || payload->dir != KP_DIR_IN)
		return false;
	return arg->rule == KP_LEN_RET || arg->rule == KP_LEN_IOV || arg->rule == KP_LEN_MSG ||
	       arg->rule == KP_LEN_MMSG || arg->rule == KP_LEN_MSGBUF;
}

/* The bytes that the kernel must have written behind argument i, where a number says so; else 0. */
static uint64_t expected_out(const struct kp_ev_syscall *call, const uint64_t args[6], int i)
{
	const struct kp_arg *arg = &kp_syscall_get(call->nr)->rule.args[i];
	struct kp_command_arg command;
	uint64_t len;

	if (!args[i] || !(arg->dir & 1 << KP_DIR_OUT))
		return 0;
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
	case KP_LEN_MSGBUF:
		return 8 + (uint64_t)call->ret;
	case KP_LEN_COMMAND:
		command = kp_command_arg(call->nr, args, call->ret);
		return command.dir == 1 << KP_DIR_OUT ? command.len : 0;
	default:
		return 0;
	}
}

int kp_engine_check_bytes(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t args[6], have[KP_ARG_MAX] = {0};
	bool missing = call->flags & KP_SYSF_INCOMPLETE, excused = false;

	if (!kp_call_succeeded(call))
		return 0;
	kp_call_args(call, args);
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload =
			engine->session->payloads.at[step->payload + i];
		bool parameter = payload->dir == KP_DIR_IN && !kp_payload_is_output(payload);

		if (payload->dir == KP_DIR_OUT && payload->arg < KP_ARG_MAX)
			have[payload->arg] += payload->data_len;
		if (payload->want_len <= payload->data_len)
			continue;
		if (!parameter)
			return kp_engine_refuse(
				engine,
				"call %u (%s): %u of its bytes at 0x%llx are not in the log",
				call->seq, kp_syscall_name(call->nr),
				payload->want_len - payload->data_len,
				(unsigned long long)payload->addr);
		excused = true;
	}
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (have[i] < expected_out(call, args, i))
			return kp_engine_refuse(
				engine,
				"call %u (%s): what it wrote behind argument %d is not in the log",
				call->seq, kp_syscall_name(call->nr), i);
	if (missing && !excused)
		return kp_engine_refuse(engine, "call %u (%s): not all of its bytes are in the log",
					call->seq, kp_syscall_name(call->nr));
	return 0;
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

int kp_engine_compare(struct kp_engine *engine, const struct kp_step *step,
		      const struct kp_ev_payload *payload, uint64_t addr, size_t from, size_t len)
{
	static unsigned char got[KP_DATA_MAX];
	const unsigned char *want = KP_TAIL(payload);
	size_t end = from + len, n, at = from;

	n = from + kp_tracee_read(&engine->tracee, addr, got + from, len);
	if (n == end && !memcmp(got + from, want + from, len)) {
		engine->result->bytes_in += len;
		return 0;
	}
	while (at < n && got[at] == want[at])
		at++;
	return differ(engine, step, payload, got, from, n, end, at);
}

/* sendmmsg's headers are inputs in which the kernel sets one number. */
static void set_msg_len(struct kp_engine *engine, const struct kp_ev_payload *payload)
{
	if (payload->nr == SYS_sendmmsg && payload->data_len == MMSGHDR_LEN && payload->arg == 1 &&
	    !(payload->idx & 63))
		kp_tracee_write(&engine->tracee, payload->addr + MMSGHDR_MSG_LEN,
				KP_TAIL(payload) + MMSGHDR_MSG_LEN, 4);
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
		if (kp_tracee_write(&engine->tracee, payload->addr, KP_TAIL(payload),
				    payload->data_len) < 0)
			return kp_engine_diverge(engine, step,
						 "%s: %u recorded bytes have no place at 0x%llx",
						 kp_syscall_name(payload->nr), payload->data_len,
						 (unsigned long long)payload->addr);
		engine->result->bytes_out += payload->data_len;
	}
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		if (payloads[i]->dir != KP_DIR_IN)
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
	/* The kernel copies these by itself. */
	if (call->nr == SYS_sendfile || call->nr == SYS_splice || call->nr == SYS_copy_file_range) {
		uint64_t to = call->nr == SYS_sendfile ? call->arg0 : call->arg2;

		if (kp_fds_stream(&engine->fds, to))
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
