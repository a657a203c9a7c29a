/* SPDX-License-Identifier: MIT
 *
 * Whether a task had a request from one moment to another, by its calls on sockets: who serves
 * receives at the begin and sends at the end, who calls does it the other way round.
 */
#ifndef KP_ANALYZE_REQUEST_H
#define KP_ANALYZE_REQUEST_H

#include "analyze/model.h"

/* A cost up to this stands for two calls of one connection near the ends. */
#define KP_REQUEST_WHOLE_NS 20000000

/*
 * How far the best pair of calls is from the two moments, in sum; more if they are of different
 * connections, or if one is missing; KP_NEVER if there is none. kind: enum kp_span_kind, which says
 * whether the task served or called; both are tried if it does not.
 */
uint64_t kp_request_cost(const struct kp_task *task, uint64_t t0_ns, uint64_t t1_ns, uint8_t kind);

#endif
