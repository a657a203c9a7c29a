/* SPDX-License-Identifier: MIT
 *
 * The BPF programs: which of them this kernel can run and the wanted groups need, loading,
 * attaching, their rings, their counters, and the selection of processes for replay.
 */
#ifndef KP_RECORD_PROBES_H
#define KP_RECORD_PROBES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "bpf/shared.h"
#include "record/rings.h"

struct kp_probes;

struct kp_probes_options {
	uint32_t groups;            /* bit 1 << KP_GROUP_x for each wanted group */
	bool select;                /* processes will be selected for replay */
	uint64_t ring_len;          /* bytes of an event ring; rounded up */
	struct kp_memory memory;    /* for all of them */
	uint64_t irq_threshold_ns;  /* interrupts shorter than this are only summed up */
	uint64_t work_threshold_ns; /* what the kernel does and what waits for its locks is left
				       out if it is shorter */
	int pins_fd; /* of kp_pins_open: all stays there when the recorder is killed; -1: nothing */
	uint64_t run; /* what stayed belongs to this run of the log, or is removed; 0: no run */
};

enum kp_probes_origin {
	KP_PROBES_LOADED,
	KP_PROBES_REPLACED,   /* loaded, and what another recorder had left was removed */
	KP_PROBES_TAKEN_OVER, /* what an earlier recorder left goes on */
};

enum kp_probe_state {
	KP_PROBE_ON,
	KP_PROBE_UNWANTED, /* its group is not wanted, or another form of it fits this kernel */
	KP_PROBE_ABSENT,   /* the kernel has no such tracepoint */
};

/* The tier in which all of these groups is recorded. */
enum kp_tier kp_probes_tier(uint32_t groups);

/* That one and those below it with less: bit 1 << KP_TIER_x. */
uint32_t kp_probes_tiers(uint32_t groups);

/*
 * Loads the programs; nothing runs before kp_probes_attach. Errors: -EPERM without the privileges,
 * -EOPNOTSUPP when the kernel lacks something, with the remedy in err.
 */
int kp_probes_load(const struct kp_probes_options *options, struct kp_probes **ret_probes,
		   struct kp_err *err);
enum kp_probes_origin kp_probes_origin(const struct kp_probes *probes);

/* When the recorder that left them had last read the rings. */
uint64_t kp_probes_left_ns(const struct kp_probes *probes);

/* In the tier of the groups that were wanted. */
int kp_probes_attach(struct kp_probes *probes, struct kp_err *err);

/* From now on all stays when the recorder is killed; nothing to do without pins_fd. Once the run of
 * the log is known. */
int kp_probes_pin(struct kp_probes *probes, uint64_t run, struct kp_err *err);

/* The accounts that stay; without memory if nothing does. */
struct kp_ledger *kp_probes_ledger(struct kp_probes *probes);

/*
 * Attaches what these tiers need (bit 1 << KP_TIER_x; several: all that any of them has), then
 * detaches what they do not. For the selected tasks and the groups that all tiers have nothing
 * changes. Takes some milliseconds for each program. On error what was there stays.
 */
int kp_probes_set_tiers(struct kp_probes *probes, uint32_t tiers, struct kp_err *err);

/* The rings have been emptied: for KP_UNHEARD_NS from now on programs tell what they see. */
void kp_probes_beat(struct kp_probes *probes);

/* Detaches: afterwards no program writes any more, and nothing stays. */
void kp_probes_detach(struct kp_probes *probes);

/* Calls fn for each probe: the tracepoint, its state. */
void kp_probes_each(const struct kp_probes *probes,
		    void (*fn)(const char *tracepoint, enum kp_probe_state state, void *arg),
		    void *arg);

/* Selects all threads of these processes for replay; those that they make later are selected by
 * inheritance. */
int kp_probes_select(struct kp_probes *probes, const pid_t *pids, size_t cnt, struct kp_err *err);

/*
 * What runs in a control group is selected from now on, and in those that are made below it; what
 * is there already by the next kp_probes_select, be it of none. A task that is selected stays so.
 */
int kp_probes_choose_cgroup(struct kp_probes *probes, const struct kp_cgroup_key *key,
			    struct kp_err *err);

/* Whether the group was chosen. */
bool kp_probes_has_chosen(const struct kp_probes *probes, const struct kp_cgroup_key *key);

/*
 * Who the tasks are that live: a descriptor from which whole `task_cgroup` and `task_pid` events
 * are read, for any thread, or a negative errno.
 */
int kp_probes_open_tasks(const struct kp_probes *probes, struct kp_err *err);

/* CPUs that this machine can have: 0 to this number less one. */
unsigned kp_probes_cpu_cnt(const struct kp_probes *probes);

/* Rings of each kind: events of several CPUs may stand in one, those of each in their order. */
unsigned kp_probes_ring_cnt(const struct kp_probes *probes);

/* One of them, or NULL. Of the bulk's there is one, whatever the index. */
struct kp_ring_reader *kp_probes_ring(struct kp_probes *probes, unsigned index, enum kp_ring kind);
struct kp_event_ring *kp_probes_event_ring(struct kp_probes *probes, unsigned index);

/* The rings' wake_fd, and what to do when it is readable; see rings.h. */
int kp_probes_wake_fd(const struct kp_probes *probes);
void kp_probes_take_wakes(const struct kp_probes *probes);

/* Counters that the programs write; they may grow while they are read. */
const volatile struct kp_counts *kp_probes_counts(const struct kp_probes *probes, unsigned cpu,
						  enum kp_ring kind);

/* The round of kp_counts.first_lost_ns. */
uint32_t kp_probes_round(const struct kp_probes *probes);

/* Begins a new round of kp_counts.first_lost_ns and gives its number. */
uint32_t kp_probes_new_round(struct kp_probes *probes);

/*
 * How often the kernel did not run a program because it was running on that CPU already: a loss
 * that no program can count, in each group that the program serves. On which CPU is not known.
 */
void kp_probes_misses(struct kp_probes *probes, uint64_t ret_misses[KP_GROUP_CNT]);

/* KP_IRQ_SUM_CNT sums of a CPU, by softirq vector; KP_IRQ_SUM_DEVICE: all device interrupts. */
const volatile struct kp_irq_sum *kp_probes_irq_sums(const struct kp_probes *probes, unsigned cpu);

void kp_probes_free(struct kp_probes *probes);

#endif
