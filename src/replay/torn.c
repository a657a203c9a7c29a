/* SPDX-License-Identifier: MIT
 *
 * Calls that stored more than they told. A call that comes to memory it cannot write gives EFAULT,
 * or, if it had something to show by then, success and less than it was asked for: fewer events
 * (epoll_wait), fewer messages (recvmmsg), fewer entries (getdents64), fewer bytes (a pipe's
 * readv). What it had stored of the item at which it stopped is beyond what it tells, hence not in
 * the log. Which of the two it was that made a result small is not in the log either; so each call
 * whose buffer is not all writable counts.
 */
#include "replay/torn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "event/doubt.h"
#include "replay/engine.h"

#define PAGE 4096u
#define IOV_MAX_CNT 1024u
#define MMSGHDR_LEN 64u

/* --- what is writable --- */

void kp_writable_done(struct kp_writable *writable)
{
	KP_VEC_DONE(&writable->spans);
}

struct collector {
	struct kp_writable *writable;
	const struct kp_session *session;
	uint64_t last_end;
};

/* Whether a mapping that ends at end is a stack, which grows down when it is written below. */
static bool is_stack(const struct kp_session *session, uint64_t end)
{
	for (uint32_t i = 0; i < session->images.cnt; i++) {
		const struct kp_image *image = &session->images.at[i];

		for (uint32_t k = 0; k < image->maps.cnt; k++)
			if (image->maps.at[k].end == end &&
			    !strcmp(image->maps.at[k].path, "[stack]"))
				return true;
	}
	return false;
}

static int collect(const struct kp_region *region, void *arg)
{
	struct collector *into = arg;
	struct kp_span span = {region->start, region->end, region->ino != 0};

	if (is_stack(into->session, region->end))
		span.start = into->last_end;
	into->last_end = region->end;
	if (region->perms[1] != 'w')
		return 0;
	return KP_VEC_PUSH(&into->writable->spans, span);
}

/* Reads the list again if it may have changed. */
static int refresh(struct kp_engine *engine)
{
	struct kp_writable *writable = &engine->writable;
	struct collector into = {writable, engine->session, 0};
	int rc;

	if (writable->as_of == engine->tracee.changes + 1)
		return 0;
	writable->spans.cnt = 0;
	rc = kp_tracee_each_region(&engine->tracee, collect, &into);
	if (rc < 0)
		return kp_err_sys(engine->err, rc, "cannot list the replayed process's mappings");
	writable->as_of = engine->tracee.changes + 1;
	return 0;
}

/* A page behind the end of its file cannot be written, whatever its protection. */
static bool has_content(struct kp_engine *engine, const struct kp_span *span, uint64_t last)
{
	unsigned char byte;

	return !span->file || kp_tracee_read(&engine->tracee, last, &byte, 1) == 1;
}

/* Whether all of it can be written; 1, 0 or a negative errno. */
static int is_writable(struct kp_engine *engine, uint64_t addr, uint64_t len)
{
	const struct kp_writable *writable = &engine->writable;
	uint64_t end = addr + len;
	int rc = len ? refresh(engine) : 0;

	if (rc < 0 || end < addr)
		return rc;
	for (uint32_t i = 0; i < writable->spans.cnt && addr < end; i++) {
		const struct kp_span *span = &writable->spans.at[i];
		uint64_t until = span->end < end ? span->end : end;

		if (span->end <= addr)
			continue;
		if (span->start > addr || !has_content(engine, span, until - 1))
			return 0;
		addr = until;
	}
	return addr >= end;
}

/* --- what a call may write --- */

/* stored bytes of len at addr were: they end on a page that can be written. */
static int is_rest_writable(struct kp_engine *engine, uint64_t addr, uint64_t stored, uint64_t len)
{
	if (stored && (addr + stored - 1) / PAGE == (addr + len - 1) / PAGE)
		return 1;
	return is_writable(engine, addr, len);
}

static int are_vectors_writable(struct kp_engine *engine, uint64_t addr, uint64_t cnt)
{
	static struct iovec iov[IOV_MAX_CNT];
	size_t len = (cnt < IOV_MAX_CNT ? cnt : IOV_MAX_CNT) * sizeof *iov;
	int rc = kp_tracee_read(&engine->tracee, addr, iov, len) == len;

	for (size_t i = 0; i < len / sizeof *iov && rc == 1; i++)
		rc = is_writable(engine, (uint64_t)(uintptr_t)iov[i].iov_base, iov[i].iov_len);
	return rc;
}

/* The bytes and the control messages that a header leads to. */
static int is_message_writable(struct kp_engine *engine, uint64_t addr)
{
	struct msghdr header;
	int rc;

	if (kp_tracee_read(&engine->tracee, addr, &header, sizeof header) != sizeof header)
		return 0;
	rc = is_writable(engine, (uint64_t)(uintptr_t)header.msg_control, header.msg_controllen);
	if (rc != 1)
		return rc;
	return are_vectors_writable(engine, (uint64_t)(uintptr_t)header.msg_iov, header.msg_iovlen);
}

/* Those that were received, and the one at which it stopped. */
static int are_messages_writable(struct kp_engine *engine, uint64_t addr, uint64_t received,
				 uint64_t cnt)
{
	uint64_t tried = received < cnt ? received + 1 : cnt;
	int rc = is_writable(engine, addr, tried * MMSGHDR_LEN);

	for (uint64_t i = 0; i < tried && rc == 1; i++)
		rc = is_message_writable(engine, addr + i * MMSGHDR_LEN);
	return rc;
}

/* Whether all that a successful call may write behind an argument is writable. */
static int is_argument_writable(struct kp_engine *engine, const struct kp_ev_syscall *call,
				const struct kp_arg *arg, const uint64_t args[6], int index)
{
	uint64_t stored = (uint64_t)call->ret, addr = args[index];

	if (!(arg->dir & 1 << KP_DIR_OUT))
		return 1;
	switch ((enum kp_len_rule)arg->rule) {
	case KP_LEN_RET: /* 0: the end, nothing there, or too late */
		if (!arg->len_arg || !stored)
			return 1;
		return is_rest_writable(engine, addr, stored * arg->unit,
					(uint64_t)(uint32_t)args[arg->len_arg] * arg->unit);
	case KP_LEN_IOV:
		return stored ? are_vectors_writable(engine, addr, args[arg->len_arg]) : 1;
	case KP_LEN_MSG:
		return is_message_writable(engine, addr);
	case KP_LEN_MMSG: /* vlen follows */
		return are_messages_writable(engine, addr, stored, (uint32_t)args[index + 1]);
	default: /* all of it or EFAULT */
		return 1;
	}
}

int kp_engine_note_torn(struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	uint64_t args[6];
	int rc = 1;

	if (engine->torn || !row || kp_call_was_refused(call))
		return 0;
	kp_call_args(call, args);
	for (int i = 0; i < KP_ARG_MAX && call->ret >= 0 && rc == 1; i++)
		rc = is_argument_writable(engine, call, &row->rule.args[i], args, i);
	if (rc == 0 || kp_call_tore(call))
		engine->torn = call;
	return rc < 0 ? rc : 0;
}
