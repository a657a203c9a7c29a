/* SPDX-License-Identifier: MIT
 * Selection of running processes; see select.h.
 */
#include "record/select.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "record/proc.h"

struct tree {
	KP_VEC(pid_t) pids;
	size_t selected; /* how many of them were handed to the probes */
	int error;
};

static bool tree_has(const struct tree *tree, pid_t pid)
{
	for (uint32_t i = 0; i < tree->pids.cnt; i++)
		if (tree->pids.at[i] == pid)
			return true;
	return false;
}

/* Adds a process whose parent is in the tree. */
static void add_child(const char *path, uint32_t pid, void *arg)
{
	struct tree *tree = arg;
	struct kp_proc_stat stat;
	char name[64];

	if (tree->error < 0 || tree_has(tree, (pid_t)pid))
		return;
	snprintf(name, sizeof(name), "%s/%u/stat", path, pid);
	if (kp_proc_stat(name, &stat) && tree_has(tree, (pid_t)stat.ppid))
		tree->error = KP_VEC_PUSH(&tree->pids, (pid_t)pid);
}

/*
 * A child born while we look was selected by its parent, which is selected before we look, or is
 * found.
 */
static int select_tree(struct kp_probes *probes, struct tree *tree, struct kp_err *err)
{
	size_t first;

	while (tree->selected < tree->pids.cnt) {
		first = tree->selected;
		tree->selected = tree->pids.cnt;
		tree->error = kp_probes_select(probes, tree->pids.at + first,
					       tree->selected - first, err);
		if (tree->error < 0)
			return tree->error;
		kp_proc_each_number("/proc", add_child, tree);
		if (tree->error < 0)
			return kp_err_sys(err, tree->error, "cannot select processes");
	}
	return 0;
}

int kp_select_trees(struct kp_probes *probes, const pid_t *pids, size_t pid_cnt, struct kp_err *err)
{
	struct tree tree = {0};
	int error = 0;

	for (size_t i = 0; i < pid_cnt && error >= 0; i++) {
		if (kill(pids[i], 0) < 0 && errno == ESRCH)
			error = kp_err_set(err, -ESRCH, "there is no process %d", pids[i]);
		else if (KP_VEC_PUSH(&tree.pids, pids[i]) < 0)
			error = kp_err_sys(err, -ENOMEM, "cannot select processes");
	}
	if (error >= 0)
		error = select_tree(probes, &tree, err);
	KP_VEC_DONE(&tree.pids);
	return error;
}
