/* SPDX-License-Identifier: MIT
 * Descendants by /proc; see family.h.
 */
#include "record/family.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "record/proc.h"

struct search {
	struct kp_family *family;
	pid_t except;
	int error;
};

static bool is_in(const struct kp_family *family, pid_t pid)
{
	for (uint32_t i = 0; i < family->pids.cnt; i++)
		if (family->pids.at[i] == pid)
			return true;
	return false;
}

static void add(struct search *search, pid_t pid)
{
	if (pid != search->except && !is_in(search->family, pid) &&
	    KP_VEC_PUSH(&search->family->pids, pid) < 0)
		search->error = -ENOMEM;
}

/* The children of one thread, by CONFIG_PROC_CHILDREN. */
static void add_children(const char *path, uint32_t tid, void *arg)
{
	char name[96];
	FILE *file;
	int pid;

	snprintf(name, sizeof(name), "%s/%u/children", path, tid);
	file = fopen(name, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		add(arg, pid);
	if (file)
		fclose(file);
}

/* Without it: looks at all processes until none is new. */
static void add_by_parent(const char *path, uint32_t pid, void *arg)
{
	struct search *search = arg;
	struct kp_proc_stat stat;
	char name[64];

	snprintf(name, sizeof(name), "%s/%u/stat", path, pid);
	if (kp_proc_stat(name, &stat) &&
	    (stat.ppid == (uint32_t)getpid() || is_in(search->family, (pid_t)stat.ppid)))
		add(search, (pid_t)pid);
}

int kp_family_find(pid_t except, struct kp_family *ret_family)
{
	struct search search = {.family = ret_family, .except = except};
	uint32_t before = 1;
	char path[64];

	memset(ret_family, 0, sizeof(*ret_family));
	if (access("/proc/thread-self/children", F_OK) == 0) {
		kp_proc_each_number("/proc/self/task", add_children, &search);
		for (uint32_t i = 0; i < ret_family->pids.cnt; i++) {
			snprintf(path, sizeof(path), "/proc/%d/task", ret_family->pids.at[i]);
			kp_proc_each_number(path, add_children, &search);
		}
	} else {
		while (before != ret_family->pids.cnt) {
			before = ret_family->pids.cnt;
			kp_proc_each_number("/proc", add_by_parent, &search);
		}
	}
	if (search.error < 0)
		kp_family_done(ret_family);
	return search.error;
}

void kp_family_done(struct kp_family *family)
{
	KP_VEC_DONE(&family->pids);
}
