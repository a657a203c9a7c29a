/* SPDX-License-Identifier: MIT
 * What the verification's files share: the walk over boots and segments (verify.c), and what the
 * events add up to (verify_sums.c).
 */
#ifndef KP_LOG_VERIFY_IN_H
#define KP_LOG_VERIFY_IN_H

#include "base/map.h"
#include "base/vec.h"
#include "log/codec.h"
#include "log/index.h"
#include "log/object_set.h"
#include "log/verify.h"

/* Segments of a boot that are not there, or that retention says it removed, up to a number. */
struct kp_verify_hole {
	char boot[256];
	uint64_t from, to;
};

/* The accounts of one run, by CPU and group. */
struct kp_verify_sums {
	bool is_whole;           /* nothing of it is missing so far */
	bool has_stats;          /* its recorder told its own accounts */
	struct kp_map counted;   /* events in the blocks */
	struct kp_map stored;    /* as the accounts say */
	struct kp_map lost;      /* likewise */
	struct kp_map lost_told; /* as the events `lost` say */
};

struct kp_verify {
	const struct kp_verify_options *options;
	struct kp_verified *result;
	struct kp_decoder *decoder;
	unsigned char *payload;
	struct kp_buf events;
	struct kp_object_set objects;
	KP_VEC(struct kp_verify_hole) missing, retained;
	struct kp_verify_sums sums;
	uint64_t told_cnt;

	/* where it is */
	struct kp_index *index;
	struct kp_index_segment *segment;
};

/* Tells a finding; where: NULL for the segment. */
void kp_verify_tell(struct kp_verify *v, enum kp_verify_grade grade, const char *where,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* --- verify_sums.c --- */

void kp_verify_begin_run(struct kp_verify *v, bool is_whole);

/* Takes a whole block into the accounts. 0 or a negative errno. */
int kp_verify_add_block(struct kp_verify *v, const union kp_block_head *head,
			const unsigned char *payload);

/* Compares what the run's recorder said with what there is. */
void kp_verify_end_run(struct kp_verify *v);

#endif
