/* SPDX-License-Identifier: MIT
 *
 * What the recorder changes of its own process for the time of a recording, and gives back to the
 * command that it runs and at its end: what signals do, and how many files may be open.
 */
#ifndef KP_RECORD_PROCESS_H
#define KP_RECORD_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

/* As they were found. */
struct kp_process {
	struct sigaction actions[_NSIG];
	bool is_changed[_NSIG];
	bool is_attended;
	struct rlimit files;
};

/*
 * From now on no signal that ends a process by default, and is no sign of a fault in the program
 * itself, does so: those of kp_process_end_signal are left to the caller to handle, the others are
 * ignored. The soft limit of open files becomes the hard one. has_command: one will be run.
 */
void kp_process_prepare(struct kp_process *ret_found, bool has_command);

/* As it was; safe between fork and exec. */
void kp_process_restore(const struct kp_process *found);

/* The soft limit of open files becomes the hard one. */
void kp_process_raise_files(void);

/*
 * The signals that end a recording in order: the i-th, 0 behind the last. One that whoever started
 * us had ignored so that we survive it (SIGHUP, nohup(1)) is not among them, nor SIGHUP where there
 * is neither a terminal that can hang up nor a command: to a service it says to read its
 * configuration again, and there is none to read.
 */
int kp_process_end_signal(const struct kp_process *found, size_t i);
#define KP_END_SIGNAL_MAX 8

#endif
