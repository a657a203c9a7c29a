/* SPDX-License-Identifier: MIT
 *
 * What the probes' files share: the programs and their choice (probes.c), what they are told
 * (probes_tables.c), and what of them stays in the kernel when a recorder is killed
 * (probes_pins.c).
 */
#ifndef KP_RECORD_PROBES_IN_H
#define KP_RECORD_PROBES_IN_H

#include "record/probes.h"

#define KP_PROBE_MAX KP_LEDGER_PROGRAMS

/* Programs that visit all tasks when they are asked to. */
enum kp_iterator {
	KP_ITER_PREPARE, /* gives them storage, and selects */
	KP_ITER_TELL,    /* tells who they are */
	KP_ITER_CNT,
};

struct kprobe_bpf;
struct kprobe_bpf__bss;

struct kp_probes {
	struct kprobe_bpf *skel; /* opened, and loaded if nothing was taken over */
	struct kprobe_bpf__bss *bss;
	uint32_t groups;                /* that are wanted */
	uint32_t select;                /* bit of the selection, or 0 */
	_Atomic uint32_t active_groups; /* that are recorded now */
	uint32_t looked_groups;         /* … and when misses were last looked for */
	uint64_t own_misses[KP_GROUP_CNT], own_seen_misses[KP_PROBE_MAX];
	uint64_t *misses, *seen_misses; /* these, or those of the ledger */
	enum kp_probe_state states[KP_PROBE_MAX];
	int programs[KP_PROBE_MAX]; /* descriptors of those that are loaded, or -1 */
	int links[KP_PROBE_MAX];    /* of those that are attached, or -1 */
	int iterators[KP_ITER_CNT]; /* descriptors, or -1 */
	unsigned cpu_cnt;
	uint64_t beat_ns; /* when kp_probes_beat was last called */
	uint64_t left_ns; /* … and by whom was taken over from */
	struct kp_rings rings;

	int pins_fd; /* -1: nothing stays */
	bool is_pinned;
	enum kp_probes_origin origin;
	struct kp_ledger ledger;
	int ledger_fd;
	int bss_fd;    /* if it was taken over, … */
	int pieces_fd; /* … as were these: else they are the skeleton's */
	int *life_fds; /* until the rings have them */
};

/* Of an object that is open. */
void kp_probes_set_constants(struct kprobe_bpf *skel, const struct kp_probes_options *options,
			     const struct kp_rings *rings);

/* Of one that is loaded. 0 or -errno. */
int kp_probes_fill_tables(struct kprobe_bpf *skel);

/* Bytes of the programs' memory that is mapped. */
size_t kp_probes_bss_len(void);

/* Name of the i-th program; NULL behind the last. */
const char *kp_probes_program(size_t i);

/* Takes over what an earlier recorder left, if it is the same and belongs to the log's run. Else it
 * is removed. Whether it was. */
bool kp_probes_take_over(struct kp_probes *probes, uint64_t run);

/* Memory for the accounts that can be pinned. 0 or -errno. */
int kp_probes_make_ledger(struct kp_probes *probes, struct kp_err *err);

/* As links come and go. 0 or -errno. */
int kp_probes_pin_link(struct kp_probes *probes, size_t i);
void kp_probes_unpin_link(struct kp_probes *probes, size_t i);

/* Nothing stays any more. */
void kp_probes_unpin(struct kp_probes *probes);

/* What the maps of these probes need no descriptor for any more. */
void kp_probes_release_pins(struct kp_probes *probes);

#endif
