/* SPDX-License-Identifier: MIT
 *
 * Bytes of a recorded call for another build, whose buffers are elsewhere: a payload belongs at the
 * process's own argument plus the distance that it had from the recorded one; vectors are walked as
 * the process has them. Of the inputs only those that leave the process are compared, and names:
 * parameters may hold pointers.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "replay/engine.h"

#define OWN_IOV_MAX 1024

/* Where the next bytes of the process's vectors are. */
struct cursor {
	struct iovec iov[OWN_IOV_MAX];
	size_t cnt;
	size_t at;
	size_t offset;
};

static void cursor_open(struct cursor *cursor, struct kp_tracee *tracee, uint64_t iov, uint64_t cnt)
{
	cursor->at = cursor->offset = 0;
	if (cnt > OWN_IOV_MAX)
		cnt = OWN_IOV_MAX;
	cursor->cnt = kp_tracee_read(tracee, iov, cursor->iov, cnt * sizeof(*cursor->iov)) /
		      sizeof(*cursor->iov);
}

/* A run of at most len bytes; its length, 0 at the end. */
static size_t cursor_next(struct cursor *cursor, size_t len, uint64_t *ret_addr)
{
	const struct iovec *iov;
	size_t n;

	while (cursor->at < cursor->cnt && cursor->offset == cursor->iov[cursor->at].iov_len) {
		cursor->at++;
		cursor->offset = 0;
	}
	if (cursor->at == cursor->cnt)
		return 0;
	iov = &cursor->iov[cursor->at];
	n = iov->iov_len - cursor->offset;
	n = n < len ? n : len;
	*ret_addr = (uint64_t)(uintptr_t)iov->iov_base + cursor->offset;
	cursor->offset += n;
	return n;
}

static size_t cursor_left(const struct cursor *cursor)
{
	size_t left = 0;

	for (size_t i = cursor->at; i < cursor->cnt; i++)
		left += cursor->iov[i].iov_len;
	return left - cursor->offset;
}

/* Gives bytes [from, from + len) of a payload to the process at addr, or compares them. */
static int place(struct kp_engine *engine, const struct kp_step *step,
		 const struct kp_ev_payload *payload, uint64_t addr, size_t from, size_t len)
{
	const struct kp_arg *arg = kp_payload_rule(payload);

	if (payload->dir == KP_DIR_IN) {
		bool name = arg && arg->rule == KP_LEN_STR;

		return name || kp_payload_is_output(payload)
			       ? kp_engine_compare(engine, step, payload, addr, from, len)
			       : 0;
	}
	if (kp_tracee_write(&engine->tracee, addr, KP_TAIL(payload) + from, len) < 0)
		return kp_engine_diverge(engine, step, "%s: recorded bytes have no place at 0x%llx",
					 kp_syscall_name(payload->nr), (unsigned long long)addr);
	engine->result->bytes_out += len;
	return 0;
}

static int place_vector(struct kp_engine *engine, const struct kp_step *step,
			const struct kp_ev_payload *payload, struct cursor *cursor)
{
	size_t done = 0, n;
	uint64_t addr;
	int rc = 0;

	while (rc == 0 && done < payload->data_len) {
		n = cursor_next(cursor, payload->data_len - done, &addr);
		if (!n && payload->dir == KP_DIR_IN)
			return kp_engine_diverge(engine, step,
						 "%s: the process gives fewer bytes than recorded",
						 kp_syscall_name(payload->nr));
		if (!n)
			return kp_engine_refuse(
				engine,
				"call %u (%s): the process asks for fewer bytes than "
				"were recorded",
				step->call->seq, kp_syscall_name(payload->nr));
		rc = place(engine, step, payload, addr, done, n);
		done += n;
	}
	return rc;
}

static bool within(uint64_t addr, const void *base, size_t len)
{
	uint64_t from = (uint64_t)(uintptr_t)base;

	return from && addr >= from && addr - from < len;
}

/* A message's header: the numbers that the kernel sets, not the pointers. */
static void place_header(struct kp_engine *engine, const struct msghdr *then, uint64_t own_addr)
{
	struct msghdr own;

	if (kp_tracee_read(&engine->tracee, own_addr, &own, sizeof own) != sizeof own)
		return;
	own.msg_namelen = then->msg_namelen;
	own.msg_controllen = then->msg_controllen;
	own.msg_flags = then->msg_flags;
	kp_tracee_write(&engine->tracee, own_addr, &own, sizeof own);
}

static int move_message(struct kp_engine *engine, const struct kp_step *step, uint64_t own_addr,
			struct cursor *cursor)
{
	struct msghdr own, then = {0};
	int rc = 0;

	if (kp_tracee_read(&engine->tracee, own_addr, &own, sizeof own) != sizeof own)
		return kp_engine_diverge(engine, step, "the process's message is not readable");
	cursor_open(cursor, &engine->tracee, (uint64_t)(uintptr_t)own.msg_iov, own.msg_iovlen);
	for (uint32_t i = 0; rc == 0 && i < step->payload_cnt; i++) {
		const struct kp_ev_payload *p = engine->session->payloads.at[step->payload + i];

		if (p->arg != 1)
			continue;
		if (p->addr == step->call->arg1 && p->data_len == sizeof then) {
			memcpy(&then, KP_TAIL(p), sizeof then);
			if (p->dir == KP_DIR_OUT)
				place_header(engine, &then, own_addr);
		} else if (within(p->addr, then.msg_name, then.msg_namelen)) {
			rc = place(engine, step, p, (uint64_t)(uintptr_t)own.msg_name, 0,
				   p->data_len);
		} else if (within(p->addr, then.msg_control, then.msg_controllen)) {
			rc = place(engine, step, p,
				   (uint64_t)(uintptr_t)own.msg_control + p->offset, 0,
				   p->data_len);
		} else {
			rc = place_vector(engine, step, p, cursor);
		}
	}
	return rc;
}

/* A plain buffer: as far from the process's argument as it was from the recorded one. */
static int move_plain(struct kp_engine *engine, const struct kp_step *step,
		      const struct kp_ev_payload *payload, const uint64_t own[6])
{
	const struct kp_arg *arg = kp_payload_rule(payload);
	uint64_t then[6], distance;

	kp_call_args(step->call, then);
	if (payload->arg >= KP_ARG_MAX || !own[payload->arg])
		return 0;
	distance = payload->addr - then[payload->arg];
	if (payload->dir == KP_DIR_OUT && arg && arg->rule == KP_LEN_RET && arg->len_arg &&
	    own[arg->len_arg] * arg->unit < distance + payload->data_len)
		return kp_engine_refuse(
			engine, "call %u (%s): the process asks for fewer bytes than were recorded",
			step->call->seq, kp_syscall_name(payload->nr));
	return place(engine, step, payload, own[payload->arg] + distance, 0, payload->data_len);
}

/* Whether the process gives as many bytes as it gave then. */
static int check_given(struct kp_engine *engine, const struct kp_step *step,
		       const struct cursor *cursor, const uint64_t own[6])
{
	const struct kp_syscall *row = kp_syscall_get(step->call->nr);
	uint64_t then[6];

	kp_call_args(step->call, then);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *arg = &row->rule.args[i];

		if (!kp_arg_is_output(arg))
			continue;
		if ((arg->rule == KP_LEN_IOV || arg->rule == KP_LEN_MSG) && cursor_left(cursor))
			return kp_engine_diverge(
				engine, step, "%s: the process gives %zu bytes more than recorded",
				row->name, cursor_left(cursor));
		if (arg->len_arg && arg->rule != KP_LEN_IOV &&
		    own[arg->len_arg] != then[arg->len_arg])
			return kp_engine_diverge(
				engine, step,
				"%s: the process gives %llu bytes; recorded were %llu", row->name,
				(unsigned long long)own[arg->len_arg],
				(unsigned long long)then[arg->len_arg]);
	}
	return 0;
}

int kp_engine_move_bytes_to(struct kp_engine *engine, const struct kp_step *step,
			    const uint64_t own[6])
{
	static struct cursor cursor;
	bool opened = false;
	int rc = 0;

	cursor.cnt = cursor.at = cursor.offset = 0;
	for (uint32_t i = 0; rc == 0 && i < step->payload_cnt; i++) {
		const struct kp_ev_payload *p = engine->session->payloads.at[step->payload + i];
		const struct kp_arg *arg = kp_payload_rule(p);
		uint8_t rule = arg ? arg->rule : KP_LEN_NONE;

		/* What a struct's pointers lead to is elsewhere in another build. */
		if (rule == KP_LEN_MMSG ||
		    ((rule == KP_LEN_COMMAND || rule == KP_LEN_CLONE) && p->idx))
			return kp_engine_refuse(engine, "call %u: %s of another build",
						step->call->seq, kp_syscall_name(p->nr));
		if (rule == KP_LEN_MSG) {
			if (!opened)
				rc = move_message(engine, step, own[1], &cursor);
			opened = true;
		} else if (rule == KP_LEN_IOV) {
			if (!opened)
				cursor_open(&cursor, &engine->tracee, own[p->arg],
					    own[arg->len_arg]);
			opened = true;
			rc = place_vector(engine, step, p, &cursor);
		} else {
			rc = move_plain(engine, step, p, own);
		}
	}
	return rc == 0 && kp_call_succeeded(step->call) ? check_given(engine, step, &cursor, own)
							: rc;
}
