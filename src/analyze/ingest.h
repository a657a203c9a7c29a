/* SPDX-License-Identifier: MIT
 * What the two halves of the ingest share; see model.h. Handlers take one event of their kind, 0 or
 * -ENOMEM.
 */
#ifndef KP_ANALYZE_INGEST_H
#define KP_ANALYZE_INGEST_H

#include "analyze/model.h"

/* The living task with this tid, made when it is new. pid 0: not known. */
int kp_model_task_get(struct kp_model *m, uint32_t pid, uint32_t tid, uint32_t *ret_task);

/* The CPU, made when it is new; NULL: out of memory. */
struct kp_cpu *kp_model_cpu_get(struct kp_model *m, uint32_t cpu);

/* Appends a record, not before the last one. 0 or -ENOMEM. */
int kp_model_rec_push(struct kp_model *m, uint32_t task, struct kp_rec rec);

/* From t_ns on what the task did is not known: it left, or came to, this CPU unseen. 0 or -ENOMEM.
 */
int kp_model_lose(struct kp_model *m, uint32_t task, uint64_t t_ns, uint16_t cpu);

/* Whether who leaves the CPU is who came last; if not, what is unknown by that. 0 or -ENOMEM. */
int kp_model_chain(struct kp_model *m, uint16_t cpu, uint32_t prev, uint64_t t_ns);

/* Puts what the holes make unknown into the lists of tasks and CPUs. 0 or -ENOMEM. */
int kp_model_mark_holes(struct kp_model *m);

/* The socket that has this number, made when it is new. */
int kp_model_sock_get(struct kp_model *m, uint64_t number, uint32_t *ret_sock);

/* The call in which a waker is, if the wake tells it. */
int kp_model_see_waker(struct kp_model *m, const struct kp_ev_sched_waking *e, uint32_t waker);

/* The task runs: what it waited in goes on, or ends, from here. */
void kp_model_wait_ends(struct kp_task *task, uint64_t t_ns);

int kp_model_on_wait(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_send(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_recv(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_tcp_state(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_tcp_reset(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_tier(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_lose_untold(struct kp_model *m);
int kp_model_on_syscall(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_freeze(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_signal(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_deliver(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_irq(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_softirq(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_reclaim(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_insert(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_issue(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_complete(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_socket(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_translation(struct kp_model *m, const struct kp_hdr *hdr);
int kp_model_on_retransmit(struct kp_model *m, const struct kp_hdr *hdr);

#endif
