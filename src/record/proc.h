/* SPDX-License-Identifier: MIT
 * Reading /proc (proc(5)). What is asked for may end meanwhile: nothing here treats that as an
 * error.
 */
#ifndef KP_RECORD_PROC_H
#define KP_RECORD_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kprobe/event.h"

/* Fields of /proc/PID/stat or /proc/PID/task/TID/stat. */
struct kp_proc_stat {
	char comm[KP_COMM_LEN];
	char state;
	uint32_t ppid;
	unsigned flags;     /* PF_* of include/linux/sched.h */
	uint64_t start_ns;  /* since boot, of the precision of a clock tick */
	uint64_t start_brk; /* 0 where we may not look into the process */
};

/* Reads the stat file at path. False: it is gone, or is not understood. */
bool kp_proc_stat(const char *path, struct kp_proc_stat *ret);

/* Reads up to cap bytes of a file of /proc; returns the length, 0 if there is none. */
size_t kp_proc_read(const char *path, char *data, size_t cap);

/* Calls fn for each entry of a folder whose name begins with a digit. */
void kp_proc_each_number(const char *path, void (*fn)(const char *path, uint32_t number, void *arg),
			 void *arg);

#endif
