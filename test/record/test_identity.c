/* SPDX-License-Identifier: MIT
 * Who tasks are besides their numbers: real control groups of every form that container runtimes
 * make and real nested pid namespaces, made by a child and gone before the log is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "probes_run.h"

TestSuite(identity, .init = need_probes, .timeout = 60);

/* --- control groups --- */

/* Where a hierarchy is mounted: of version 2, or of version 1 with this controller. False: nowhere.
 */
static bool find_mount(const char *controller, char path[256])
{
	FILE *file = fopen("/proc/self/mounts", "re");
	char line[1024], type[64], options[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %255s %63s %511s", path, type, options) == 3 &&
			(controller ? !strcmp(type, "cgroup") && strstr(options, controller)
				    : !strcmp(type, "cgroup2"));
	if (file)
		fclose(file);
	return found;
}

static void need_mount(const char *controller, char path[256])
{
	if (!find_mount(controller, path))
		cr_skip_test("no control groups are mounted here: %s",
			     controller ? controller : "version 2");
}

static void write_text(const char *folder, const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(2);
	close(fd);
}

static char mounted[256], group[384];

/* Comes into the group, has a child there, and leaves nothing. */
static void visit_group(struct told *told)
{
	struct stat st;
	pid_t pid;

	if (mkdir(group, 0755) || stat(group, &st))
		_exit(3);
	told->inos[0] = st.st_ino;
	write_text(group, "cgroup.procs", "0");
	pid = fork();
	if (!pid)
		_exit(0);
	told->tids[1] = (uint32_t)pid;
	waitpid(pid, NULL, 0);
	write_text(mounted, "cgroup.procs", "0");
	if (rmdir(group))
		_exit(4);
}

/* The next event of a group with this path. */
static const struct kp_ev_cgroup *next_cgroup(struct run *run, const char *path)
{
	const struct kp_ev_cgroup *ev;

	while ((ev = next_of(run, KP_EV_cgroup)))
		if (ev->data_len == strlen(path) && !memcmp(KP_TAIL(ev), path, ev->data_len))
			break;
	return ev;
}

static const struct kp_ev_cgroup_attach *next_attach(struct run *run)
{
	const struct kp_ev_cgroup_attach *ev;

	while ((ev = next_of(run, KP_EV_cgroup_attach)) && ev->target_pid != run->told->tids[0])
		;
	return ev;
}

static void check_group(struct run *run, const char *path, bool is_v2)
{
	const struct kp_ev_cgroup *made, *removed;
	const struct kp_ev_cgroup_attach *attached;
	const struct kp_ev_task_cgroup *born;
	uint64_t number;
	uint32_t hierarchy;

	made = next_cgroup(run, path);
	cr_assert(made, "the group is not in the log");
	cr_expect_eq(made->what, KP_CGROUP_MADE);
	cr_expect_eq(made->cgroup, run->told->inos[0]);
	cr_expect_eq(!made->hierarchy, is_v2);
	number = made->cgroup;
	hierarchy = made->hierarchy;
	attached = next_attach(run);
	cr_assert(attached, "no task is attached");
	cr_expect_eq(attached->cgroup, number);
	cr_expect_eq(attached->hierarchy, hierarchy);
	cr_expect_eq(attached->whole, 1);
	while ((born = next_of(run, KP_EV_task_cgroup)) && born->hdr.pid != run->told->tids[1])
		;
	cr_assert(born, "the child's groups are not told");
	cr_expect_eq(is_v2 ? born->cgroup : born->memory_cgroup, number);
	if (!is_v2)
		cr_expect_eq(born->memory_hierarchy, hierarchy);
	attached = next_attach(run);
	cr_assert(attached, "the way back is not told");
	cr_expect_neq(attached->cgroup, number);
	removed = next_cgroup(run, path);
	cr_assert(removed);
	cr_expect_eq(removed->what, KP_CGROUP_REMOVED);
	cr_expect_eq(removed->cgroup, number);
}

static void record_group(const char *controller)
{
	struct run run = {0};
	char path[64];

	need_mount(controller, mounted);
	snprintf(path, sizeof(path), "/kprobe-test-%d", getpid());
	snprintf(group, sizeof(group), "%s%s", mounted, path);
	record_child(&run, visit_group, (struct kp_recorder_options){0});
	check_group(&run, path, !controller);
	done(&run);
}

Test(identity, control_groups_of_version_2)
{
	record_group(NULL);
}

Test(identity, control_groups_of_version_1)
{
	record_group("memory");
}

/* --- pid namespaces --- */

static uint64_t own_pidns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

/* Makes a child in a new pid namespace, and waits. */
static void in_new_pidns(void (*fn)(struct told *told), struct told *told)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) || (pid = fork()) < 0)
		_exit(5);
	if (!pid) {
		fn(told);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* The first of the inner namespace has another child, which is number 2 there and 3 outside. */
static void live_inside(struct told *told)
{
	pid_t pid = fork();

	told->inos[1] = own_pidns();
	if (!pid)
		_exit(0);
	told->tids[2] = (uint32_t)pid;
	waitpid(pid, NULL, 0);
}

static void live_between(struct told *told)
{
	told->inos[0] = own_pidns();
	in_new_pidns(live_inside, told);
}

static void nest(struct told *told)
{
	in_new_pidns(live_between, told);
}

Test(identity, pid_namespaces)
{
	struct run run = {0};
	const struct kp_ev_task_pid *outer, *inner;

	record_child(&run, nest, (struct kp_recorder_options){0});
	cr_assert(run.told->inos[0] && run.told->inos[1]);
	while ((inner = next_of(&run, KP_EV_task_pid)) &&
	       (inner->level != 2 || inner->number != run.told->tids[2]))
		;
	cr_assert(inner, "the innermost task has no number");
	cr_expect_eq(inner->number, 2);
	cr_expect_eq(inner->pidns, run.told->inos[1]);
	run.told->tids[3] = inner->hdr.tid;
	kp_log_reader_free(run.reader);
	cr_assert_eq(kp_log_open(run.dir, NULL, &run.reader, NULL), 0);
	while ((outer = next_of(&run, KP_EV_task_pid)) &&
	       (outer->level != 1 || outer->hdr.tid != run.told->tids[3]))
		;
	cr_assert(outer, "it has none in the namespace between");
	cr_expect_eq(outer->number, 3);
	cr_expect_eq(outer->pidns, run.told->inos[0]);
	done(&run);
}
