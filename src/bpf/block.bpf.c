// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Block requests, from the queue to the device and back. A completion is the reason of the wakeups
 * that follow it in the same interrupt.
 */
#include "bpf/emit.h"

/* The kinds have the same fields up to the last one. */
static __always_inline int on_request(struct request *rq, __u16 kind)
{
	struct kp_ev_block_issue *ev;
	struct gendisk *disk;

	if (kp_is_self())
		return 0;
	ev = kp_reserve(KP_RING_EVENTS, KP_GROUP_block, kind, sizeof(*ev), bpf_ktime_get_ns());
	if (!ev)
		return 0;
	disk = rq->q->disk;
	ev->rq = (__u64)rq;
	ev->sector = rq->__sector;
	ev->dev = (__u32)disk->major << 20 | disk->first_minor;
	ev->len = rq->__data_len;
	ev->op = rq->cmd_flags;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/block_rq_insert")
int KP_PROG(block, kp_block_insert, struct request *rq)
{
	return on_request(rq, KP_EV_block_insert);
}

SEC("tp_btf/block_rq_issue")
int KP_PROG(block, kp_block_issue, struct request *rq)
{
	return on_request(rq, KP_EV_block_issue);
}

SEC("tp_btf/block_rq_complete")
int KP_PROG(block, kp_block_complete, struct request *rq, int error, unsigned int len)
{
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_block_complete *ev;
	struct gendisk *disk;

	kp_set_why(c, kp_context(c), KP_CTX_BLOCK, (__u64)rq, 0);
	if (!KP_TELLS(block))
		return 0;
	ev = KP_EVENT(block_complete, block, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	disk = rq->q->disk;
	ev->rq = (__u64)rq;
	ev->sector = rq->__sector;
	ev->dev = (__u32)disk->major << 20 | disk->first_minor;
	ev->len = len;
	ev->op = rq->cmd_flags;
	ev->error = error;
	KP_COMMIT(ev);
	return 0;
}
