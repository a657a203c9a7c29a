/* SPDX-License-Identifier: MIT
 * Words for what the walk found: objects, causes, and the events that prove a step.
 */
#ifndef KP_ANALYZE_EVIDENCE_H
#define KP_ANALYZE_EVIDENCE_H

#include "analyze/report.h"

/* The device of a disk's or fault's object. */
uint32_t kp_evidence_dev(const struct kp_model *model, uint64_t obj);

/* Sets who->key and who->value to the object of a piece of this kind (kp_piece.obj). */
void kp_evidence_object(const struct kp_model *model, uint8_t kind, uint64_t obj,
			struct kp_arena *arena, struct kp_who *who);

/* "run queue on cpu 1 behind hog (pid 1234)"; own is the incident's thread. NULL: no memory. */
const char *kp_evidence_cause(const struct kp_cause *cause, const struct kp_who *own,
			      struct kp_arena *arena);

/* A bucket's `via` for people: what stands for no object is said in words. */
void kp_evidence_via(const char *via, struct kp_buf *out);

/* Appends to the report's events those that prove the edge from a node, which is a piece or a wait.
 * 0 or -ENOMEM. */
int kp_evidence_piece(const struct kp_walk *walk, const struct kp_piece *piece, uint32_t node,
		      struct kp_report *report);
int kp_evidence_wait(const struct kp_walk *walk, const struct kp_wait *wait, uint32_t node,
		     struct kp_report *report);

/* How a time stands in words. */
typedef void (*kp_time_fn)(const struct kp_report *report, uint64_t t_ns, struct kp_buf *out);

/* Appends lines about what proves a node and, of a step of the path, the wait that led there; none
 * ends with a newline but by the next. */
void kp_evidence_lines(const struct kp_report *report, uint32_t node, kp_time_fn time,
		       struct kp_buf *out);

/* "comm (pid 12)" or "comm (pid 12, tid 13)", and " in default/web-0/nginx". */
void kp_evidence_who(const struct kp_who *who, struct kp_buf *out);

/* Seconds of CLOCK_MONOTONIC with nine digits. */
void kp_evidence_time(const struct kp_report *report, uint64_t t_ns, struct kp_buf *out);

#endif
