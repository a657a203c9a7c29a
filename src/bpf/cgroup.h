/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Control groups by what names them in the log: the inode of their folder and their hierarchy.
 */
#ifndef KP_BPF_CGROUP_H
#define KP_BPF_CGROUP_H

#include "bpf/compat.h"
#include "bpf/kernel.h"

/* Those of the kernel's own numbering that are asked for; which number each has differs. */
enum cgroup_subsys_id {
	cpu_cgrp_id,
	memory_cgrp_id,
};

/* The group in which a controller has the tasks of a set, in whichever hierarchy it is. */
static __always_inline struct cgroup *kp_subsys_cgroup(struct css_set *set, __u32 subsys)
{
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css),
			      (char *)set + bpf_core_field_offset(struct css_set, subsys) +
				      (__u64)subsys * sizeof(css));
	return BPF_CORE_READ(css, cgroup);
}

#define KP_HAS_SUBSYS(name) bpf_core_enum_value_exists(enum cgroup_subsys_id, name)
#define KP_SUBSYS_CGROUP(set, name) \
	kp_subsys_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, name))

/* A task's memory cgroup; NULL: the kernel has none. */
static __always_inline struct cgroup *kp_memory_cgroup(struct task_struct *task)
{
	return KP_HAS_SUBSYS(memory_cgrp_id)
		       ? KP_SUBSYS_CGROUP(BPF_CORE_READ(task, cgroups), memory_cgrp_id)
		       : NULL;
}

/* Its names into the event's members; zeros for NULL. */
#define KP_PUT_CGROUP(ev, group)                                            \
	do {                                                                \
		(ev)->cgroup = BPF_CORE_READ(group, kn, id);                \
		(ev)->hierarchy = BPF_CORE_READ(group, root, hierarchy_id); \
	} while (0)

#endif
