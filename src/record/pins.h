/* SPDX-License-Identifier: MIT
 *
 * A folder of the BPF file system in which maps, programs and links stay when the recorder that
 * made them is killed. It is the recorder's own, and locked while one is at work.
 */
#ifndef KP_RECORD_PINS_H
#define KP_RECORD_PINS_H

#include <stddef.h>

#include "base/err.h"

/* The usual one. */
#define KP_PINS_PATH "/sys/fs/bpf/kprobe"

/*
 * Makes, opens and locks the folder; mounts the BPF file system where it usually is if it is not.
 * The descriptor, or: -EBUSY: a recorder is at work with it; -EPERM: not permitted, or the folder
 * is not ours alone; -errno.
 */
int kp_pins_open(const char *path, struct kp_err *err);

/* What it means that nothing can be pinned, and why: a static text. */
const char *kp_pins_explain(const struct kp_err *why);

/* Pins what a descriptor names. 0 or -errno. */
int kp_pins_put(int pins_fd, int fd, const char *name);

/* What stands under a name: a descriptor, or -errno. */
int kp_pins_get(int pins_fd, const char *name);

/* What is not there is fine. */
void kp_pins_remove(int pins_fd, const char *name);

/* Removes all; returns how many there were, or -errno. What nobody else has ends with it. */
int kp_pins_clear(int pins_fd);

#endif
