/* SPDX-License-Identifier: MIT
 * The boots of a log, each a folder of segments, in the order of time.
 */
#ifndef KP_LOG_BOOTS_H
#define KP_LOG_BOOTS_H

#include <stddef.h>
#include <stdint.h>

#include "log/segment.h"

struct kp_boot {
	char name[256];
	uint64_t last;        /* number of its newest segment */
	uint64_t number;      /* that its writer gave it; 0: not known */
	uint64_t realtime_ns; /* when its newest readable segment began; 0: none is */
};

/* The boots below a log's folder, oldest first, freed by the caller; there may be none. 0 or
 * -errno. */
int kp_boots_list(int dir_fd, struct kp_boot **ret_boots, size_t *ret_cnt);

/*
 * Finds the folder of the newest boot in the log's directory dir_fd, by the numbers that their
 * writers gave them (0: not known). 0; -ENOENT when there is none.
 */
int kp_log_find_newest(int dir_fd, char name[256], uint64_t *ret_sequence,
		       uint64_t *ret_boot_number);

/* The header of the segment with that number in a boot's folder; *ret_text is to be freed in any
 * case. 0, -EBADMSG: it is torn or damaged, or -errno. */
int kp_boots_read_hdr(int boot_fd, uint64_t sequence, struct kp_seg_start *ret_start,
		      char **ret_text);

/* Opens the folder of a log: path itself, or that of the boot's folder or of the segment that path
 * is. The descriptor or -errno. */
int kp_boots_open_log(const char *path);

#endif
