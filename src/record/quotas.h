/* SPDX-License-Identifier: MIT
 *
 * cpu.stat of the cgroups that have a CPU quota. They are found by walking cgroupfs a few folders
 * at a time, again and again; so a turn takes well below a millisecond, however many there are.
 */
#ifndef KP_RECORD_QUOTAS_H
#define KP_RECORD_QUOTAS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kprobe/event.h"
#include "record/sink.h"

#define KP_QUOTA_MAX 128
#define KP_QUOTA_DEPTH 24 /* of folders; deeper ones are not looked at */

struct kp_quota {
	int fd; /* of cpu.stat */
	uint64_t due_ns;
	struct kp_ev_cpu_stat told; /* with what names the group */
};

struct kp_quotas {
	const struct kp_sink *sink;
	char mount[256];    /* of the hierarchy that has the CPU controller; empty: none does */
	uint32_t hierarchy; /* its number, 0: version 2 */
	DIR *dirs[KP_QUOTA_DEPTH];
	unsigned depth;   /* of the walk; 0: it begins anew */
	uint64_t walk_ns; /* not before that */
	struct kp_quota groups[KP_QUOTA_MAX];
	unsigned cnt, next; /* groups, and which is looked at next */
	bool is_full;       /* there are more than it can hold */
};

/* The text of cpu.stat, of either version, into the counts; false: a group without quota. */
bool kp_quota_parse(const char *text, struct kp_ev_cpu_stat *ret);

/* Looks where cgroups are. */
void kp_quotas_open(struct kp_quotas *quotas, const struct kp_sink *sink);

/* A step of the walk, and some of the groups known so far; what has changed of them is written. */
void kp_quotas_turn(struct kp_quotas *quotas, uint64_t now_ns);

/* Writes what has changed of all, and closes. */
void kp_quotas_done(struct kp_quotas *quotas);

#endif
