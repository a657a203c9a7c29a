/* SPDX-License-Identifier: MIT
 *
 * Which files the recorded processes have mapped and which of them another one writes: that changes
 * a process's memory, and its own log does not have it. Events come in the order in which rings are
 * read, so times decide. Of bounded size: a file that takes another's place loses a warning at
 * most.
 */
#ifndef KP_RECORD_MAPPED_H
#define KP_RECORD_MAPPED_H

#include <stdbool.h>
#include <stdint.h>

struct kp_file_use {
	uint32_t pid; /* 0: nobody */
	uint64_t time_ns;
};

#define KP_MAPPED_MAX 2048u /* files */
#define KP_MAPPERS_MAX 2    /* of one: the first and the last */

struct kp_mapped_file {
	uint64_t ino;
	uint32_t dev;
	struct kp_file_use mappers[KP_MAPPERS_MAX];
	struct kp_file_use writer; /* the last */
};

struct kp_mapped {
	struct kp_mapped_file files[KP_MAPPED_MAX];
};

/* A process whose mapping of the file another one changes. */
struct kp_mapped_hit {
	uint32_t mapper, writer;
};

/* Takes note of a use. Returns how many are hit. */
int kp_mapped_map(struct kp_mapped *mapped, uint32_t dev, uint64_t ino, struct kp_file_use by,
		  struct kp_mapped_hit hits[KP_MAPPERS_MAX]);
int kp_mapped_write(struct kp_mapped *mapped, uint32_t dev, uint64_t ino, struct kp_file_use by,
		    struct kp_mapped_hit hits[KP_MAPPERS_MAX]);

bool kp_mapped_by(const struct kp_mapped *mapped, uint32_t dev, uint64_t ino, uint32_t pid);

/* The process ended, or ran another program: what it had mapped until then it has no longer. */
void kp_mapped_forget(struct kp_mapped *mapped, struct kp_file_use end);

#endif
