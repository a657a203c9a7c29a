/* SPDX-License-Identifier: MIT
 *
 * Logs made by hand: a session of a tiny program in machine code and the calls that it is said to
 * have made.
 */
#ifndef KP_TEST_SYNTH_H
#define KP_TEST_SYNTH_H

#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"

#define SYNTH_PID 4242u
#define SYNTH_CODE 0x400000ull
#define SYNTH_DATA 0x401000ull
#define SYNTH_STACK_END 0x7ffff0000000ull

struct synth {
	struct kp_session session;
	uint64_t time_ns;
	uint32_t seq;
	uint32_t last_seq; /* of the call before, for signals */
	struct kp_err err;
	/* Takes the events instead of the session; NULL: the session. */
	void (*put)(struct synth *s, const struct kp_hdr *event);
	void *sink;
};

static inline void synth_put(struct synth *s, unsigned kind, void *event, size_t len,
			     const void *data, size_t data_len)
{
	size_t size = KP_ALIGN8(len + data_len);
	struct kp_hdr *copy = calloc(1, size);

	memcpy(copy, event, len);
	if (data_len)
		memcpy((char *)copy + len, data, data_len);
	copy->kind = kind;
	copy->size = size;
	copy->pid = copy->tid = SYNTH_PID;
	copy->time_ns = s->time_ns += 1000;
	if (s->put)
		s->put(s, copy);
	else
		kp_session_add(&s->session, copy, &s->err);
	free(copy);
}

#define SYNTH_PUT(s, name, event, data, len) \
	synth_put(s, KP_EV_##name, event, sizeof(*(event)), data, len)

static inline void synth_map(struct synth *s, uint64_t start, uint64_t len, uint32_t prot,
			     const char *path)
{
	struct kp_ev_exec_map map = {.start = start,
				     .end = start + len,
				     .image = 1,
				     .prot = prot,
				     .data_len = strlen(path)};

	SYNTH_PUT(s, exec_map, &map, path, strlen(path));
}

static inline void synth_memory(struct synth *s, uint64_t addr, const void *data, size_t len)
{
	struct kp_ev_memory memory = {.addr = addr, .image = 1, .data_len = len};

	SYNTH_PUT(s, memory, &memory, data, len);
}

/* The image of a process about to run code, with one writable page of data. */
static inline void synth_image(struct synth *s, const void *code, size_t code_len, const void *data,
			       size_t data_len)
{
	struct user_regs_struct regs = {.rip = SYNTH_CODE,
					.rsp = SYNTH_STACK_END - 256,
					.cs = 0x33,
					.ss = 0x2b,
					.eflags = 0x202};
	struct kp_ev_exec_image image = {
		.image = 1, .brk = 0x500000, .sp = regs.rsp, .data_len = sizeof regs};

	SYNTH_PUT(s, exec_image, &image, &regs, sizeof regs);
	synth_map(s, SYNTH_CODE, 4096, 5, "/code");
	synth_map(s, SYNTH_DATA, 4096, 3, "/data");
	synth_map(s, SYNTH_STACK_END - 0x20000, 0x20000, 3, "[stack]");
	synth_memory(s, SYNTH_CODE, code, code_len);
	if (data_len)
		synth_memory(s, SYNTH_DATA, data, data_len);
}

static inline void synth_begin(struct synth *s, const void *code, size_t code_len, const void *data,
			       size_t data_len)
{
	memset(s, 0, sizeof *s);
	kp_session_init(&s->session, SYNTH_PID);
	synth_image(s, code, code_len, data, data_len);
}

/* With so many bytes that are masked. */
static inline void synth_masked(struct synth *s, unsigned nr, int arg, int dir, uint64_t addr,
				const void *data, size_t len, uint32_t masked)
{
	struct kp_ev_payload payload = {.addr = addr,
					.seq = s->seq + 1,
					.want_len = len,
					.nr = nr,
					.arg = arg,
					.dir = dir,
					.masked = masked,
					.data_len = len};

	SYNTH_PUT(s, payload, &payload, data, len);
}

static inline void synth_payload(struct synth *s, unsigned nr, int arg, int dir, uint64_t addr,
				 const void *data, size_t len)
{
	synth_masked(s, nr, arg, dir, addr, data, len, 0);
}

static inline void synth_call(struct synth *s, unsigned nr, int64_t ret, uint64_t a0, uint64_t a1,
			      uint64_t a2)
{
	struct kp_ev_syscall call = {.ret = ret,
				     .arg0 = a0,
				     .arg1 = a1,
				     .arg2 = a2,
				     .seq = ++s->seq,
				     .nr = nr,
				     .flags = KP_SYSF_PAYLOAD};

	call.entry_ns = s->time_ns;
	SYNTH_PUT(s, syscall, &call, NULL, 0);
}

static inline void synth_exit(struct synth *s, uint32_t exit_code)
{
	struct kp_ev_task_exit event = {.exit_code = exit_code, .group_dead = 1};

	SYNTH_PUT(s, task_exit, &event, NULL, 0);
}

static inline struct kp_replay_result synth_run(struct synth *s,
						const struct kp_replay_options *options)
{
	static const struct kp_replay_options none;
	struct kp_replay_result result = {.verdict = -1};

	kp_session_finish(&s->session);
	kp_session_read_files(&s->session, 0, &s->err);
	kp_replay_run(&s->session, options ? options : &none, &result, &s->err);
	return result;
}

static inline void synth_done(struct synth *s, struct kp_replay_result *result)
{
	kp_replay_result_done(result);
	kp_session_done(&s->session);
}

#endif
