// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Requests of io_uring, from their submission to their completion; see compat.h for the forms of
 * the tracepoints. What is under way stands in a table; only what took long becomes an event. The
 * programs are raw_tp, as those of work items.
 */
#include "bpf/emit.h"
#include "bpf/work.h"

#define IORING_CQE_F_MORE 2

struct kp_request requests[KP_REQUEST_CNT];

static __always_inline __u64 user_data_of(struct io_kiocb *req)
{
	struct io_kiocb___old *old = (void *)req;

	if (bpf_core_field_exists(old->user_data))
		return BPF_CORE_READ(old, user_data);
	return BPF_CORE_READ(req, cqe.user_data);
}

/* Until 5.16 a completion does not name the request: it is known by its ring and what the program
 * calls it, which another of that ring may be called too. */
static __always_inline __u64 key_of(__u64 ring, __u64 req, __u64 user_data)
{
	return LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 17, 0) ? req : kp_hash(ring, user_data);
}

static __always_inline struct kp_request *request_of(__u64 key)
{
	struct kp_request *r;

	return KP_FIND(requests, kp_hash(0, key), r, r->key == key);
}

/* --- submission --- */

static __always_inline int on_submit(struct io_kiocb *req)
{
	__u64 user_data = user_data_of(req), who = bpf_get_current_pid_tgid();
	__u64 key = key_of((__u64)BPF_CORE_READ(req, ctx), (__u64)req, user_data);
	struct kp_request *r = request_of(key);

	if (!r)
		r = KP_TAKE(requests, kp_hash(0, key), r, key, key);
	r->submit_ns = bpf_ktime_get_ns();
	r->worker_ns = 0;
	r->user_data = user_data;
	r->by_pid = who >> 32;
	r->by_tid = who;
	r->opcode = BPF_CORE_READ(req, opcode);
	return 0;
}

SEC("raw_tp/io_uring_submit_req")
int KP_PROG(SILENT, kp_uring_submit, __u64 req)
{
	return on_submit((void *)req);
}

SEC("raw_tp/io_uring_submit_sqe")
int KP_PROG(SILENT, kp_uring_submit_sqe, __u64 req)
{
	return on_submit((void *)req);
}

SEC("raw_tp/io_uring_submit_sqe")
int KP_PROG(SILENT, kp_uring_submit_8, __u64 ring, __u64 req)
{
	return on_submit((void *)req);
}

/* --- a worker gets it --- */

static __always_inline int on_worker(struct io_kiocb *req)
{
	__u64 key = key_of((__u64)BPF_CORE_READ(req, ctx), (__u64)req, user_data_of(req));
	struct kp_request *r = request_of(key);

	if (r && !r->worker_ns)
		r->worker_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/io_uring_queue_async_work")
int KP_PROG(SILENT, kp_uring_worker, __u64 req)
{
	return on_worker((void *)req);
}

SEC("raw_tp/io_uring_queue_async_work")
int KP_PROG(SILENT, kp_uring_worker_6, __u64 ring, int rw, __u64 req)
{
	return on_worker((void *)req);
}

SEC("raw_tp/io_uring_queue_async_work")
int KP_PROG(SILENT, kp_uring_worker_8, __u64 ring, __u64 req)
{
	return on_worker((void *)req);
}

/* --- completion --- */

static __always_inline void tell_request(const struct kp_request *r, __u64 ring, int res, __u64 now)
{
	struct kp_ev_io_uring *ev = KP_EVENT(io_uring, kernel, now);

	if (!ev)
		return;
	ev->submit_ns = r->submit_ns;
	ev->worker_ns = r->worker_ns;
	ev->ring = ring;
	ev->user_data = r->user_data;
	ev->by_pid = r->by_pid;
	ev->by_tid = r->by_tid;
	ev->opcode = r->opcode;
	ev->res = res;
	ev->ctx = kp_context(kp_this_cpu());
	ev->pad = 0;
	KP_COMMIT(ev);
}

static __always_inline int on_complete(__u64 ring, __u64 key, int res, __u32 flags)
{
	struct kp_request *r = key ? request_of(key) : NULL;
	__u64 now;

	if (!r || flags & IORING_CQE_F_MORE)
		return 0;
	now = bpf_ktime_get_ns();
	if (now - r->submit_ns >= work_threshold_ns)
		tell_request(r, ring, res, now);
	r->key = 0;
	return 0;
}

SEC("raw_tp/io_uring_complete")
int KP_PROG(kernel, kp_uring_complete, __u64 ring, __u64 req, struct io_uring_cqe *cqe)
{
	return on_complete(ring, req, BPF_CORE_READ(cqe, res), BPF_CORE_READ(cqe, flags));
}

SEC("raw_tp/io_uring_complete")
int KP_PROG(kernel, kp_uring_complete_5, __u64 ring, __u64 user_data, int res, __u32 flags)
{
	return on_complete(ring, key_of(ring, 0, user_data), res, flags);
}

SEC("raw_tp/io_uring_complete")
int KP_PROG(kernel, kp_uring_complete_6, __u64 ring, __u64 req, __u64 user_data, int res,
	    __u32 flags)
{
	return on_complete(ring, req, res, flags);
}

SEC("raw_tp/io_uring_complete")
int KP_PROG(kernel, kp_uring_complete_8, __u64 ring, __u64 req, __u64 user_data, int res,
	    __u32 flags)
{
	return on_complete(ring, req, res, flags);
}
