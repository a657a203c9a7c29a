/* SPDX-License-Identifier: MIT
 * The control groups that there are, from the file systems that show them (cgroups(7)).
 */
#ifndef KP_RECORD_CGROUPS_H
#define KP_RECORD_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"

/* One control group: its path within its hierarchy, which is valid during the call. */
typedef void (*kp_cgroup_fn)(const struct kp_cgroup_key *key, const char *path, void *arg);

/*
 * Calls fn for each group of each hierarchy that is mounted where the machine's first process is,
 * or where we are; those above their children first. Groups that go meanwhile are left out.
 */
void kp_cgroups_each(kp_cgroup_fn fn, void *arg);

/* Whether one of the options, separated by commas, is this. */
bool kp_cgroup_has_option(const char *options, const char *option);

/* Number of the hierarchy of version 1 that has a name and no controller, systemd's if there are
 * several; 0: there is none. */
uint32_t kp_cgroups_named(void);

#endif
