/* SPDX-License-Identifier: MIT
 * Who tasks are besides their numbers: real control groups of every form that container runtimes
 * make and real nested pid namespaces, made by a child and gone before the log is read.
 */
#include <sched.h>

#include "event/container.h"
#include "groups.h"
#include "probes_run.h"
#include "record/build_id.h"

TestSuite(identity, .init = need_probes, .timeout = 60);

/* --- control groups --- */

static char group[384];

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

/* The task's group in a hierarchy. */
static uint64_t number_in(const struct kp_ev_task_cgroup *ev, uint32_t hierarchy)
{
	return !hierarchy                          ? ev->cgroup
	       : hierarchy == ev->cpu_hierarchy    ? ev->cpu_cgroup
	       : hierarchy == ev->memory_hierarchy ? ev->memory_cgroup
	       : hierarchy == ev->named_hierarchy  ? ev->named_cgroup
						   : 0;
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
	cr_expect_eq(number_in(born, hierarchy), number);
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

	need_mount(controller);
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

Test(identity, control_groups_that_limit_memory)
{
	record_group("memory");
}

Test(identity, control_groups_that_share_out_cpu_time)
{
	record_group("cpu");
}

/* systemd's own, which have no controller. */
Test(identity, control_groups_with_a_name)
{
	record_group("name=");
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

/* --- programs --- */

static void run_slowly(struct told *told)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/sleep", "sleep", "0.3", NULL);
		_exit(1);
	}
	told->tids[1] = (uint32_t)pid;
	waitpid(pid, NULL, 0);
}

static void build_id_of(const char *path, char hex[2 * KP_BUILD_ID_MAX + 1])
{
	unsigned char id[KP_BUILD_ID_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC), len = kp_build_id_read(fd, id);

	cr_assert_geq(len, 0);
	close(fd);
	hex[0] = '\0';
	for (int i = 0; i < len; i++)
		snprintf(hex + (size_t)i * 2, 3, "%02x", id[i]);
}

static const struct kp_ev_executable *next_program(struct run *run, uint32_t pid)
{
	const struct kp_ev_executable *ev;

	while ((ev = next_of(run, KP_EV_executable)) && ev->hdr.pid != pid)
		;
	return ev;
}

Test(identity, programs)
{
	struct run run = {0};
	const struct kp_ev_executable *program;
	char hex[2 * KP_BUILD_ID_MAX + 1], *path = realpath("/bin/sleep", NULL);
	struct stat st;

	cr_assert(path && !stat(path, &st));
	build_id_of(path, hex);
	record_child(&run, run_slowly, (struct kp_recorder_options){0});
	program = next_program(&run, run.told->tids[1]);
	cr_assert(program, "the program is not told");
	cr_expect_str_eq((const char *)KP_TAIL(program), path);
	cr_expect_str_eq((const char *)KP_TAIL(program) + strlen(path) + 1, hex);
	cr_expect_eq(program->ino, st.st_ino);
	cr_expect_eq(program->mtime_ns,
		     (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec);
	cr_expect_eq(program->state, hex[0] ? KP_EXE_ID : KP_EXE_NO_ID);
	free(path);
	done(&run);
}

/* Those that ran before the recorder did are told too: ours is this test's. */
Test(identity, programs_that_ran_before)
{
	struct run run = {0};
	const struct kp_ev_executable *program;
	char path[512] = "";

	cr_assert_gt(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
	record_child(&run, run_slowly, (struct kp_recorder_options){0});
	program = next_program(&run, run.told->tids[0]);
	cr_assert(program, "the program is not told");
	cr_expect_str_eq((const char *)KP_TAIL(program), path);
	done(&run);
}

/* --- containers of every runtime --- */

#define UID_ "0ab3c9d1_4e5f_4a6b_8c7d_9e0f1a2b3c4d"

static const struct {
	const char *path;
	bool has_pod;
} containers[] = {
	{"kubepods/burstable/pod" UID "/" ID, true},
	{"kubepods/burstable/pod" UID "/crio-" ID, true},
	{"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope",
	 true},
	{"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
	 ".scope",
	 true},
	{"kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope", true},
	{"docker/" ID, false},
	{"system.slice/docker-" ID ".scope", false},
	{"machine.slice/libpod-" ID ".scope", false},
};
#define CONTAINER_CNT (sizeof(containers) / sizeof(*containers))

static pid_t tester;

static void below_test(size_t i, char path[512])
{
	snprintf(path, 512, "kprobe-test-%d/%s", tester, containers[i].path);
}

/* A process lives in each, and is gone with its container when the next comes. */
static void run_containers(struct told *told)
{
	char path[512], whole[1024];

	(void)told;
	for (size_t i = 0; i < CONTAINER_CNT; i++) {
		below_test(i, path);
		each_folder(path, true);
		snprintf(whole, sizeof(whole), "%s/%s", mounted, path);
		write_text(whole, "cgroup.procs", "0");
		if (!fork())
			_exit(0);
		wait(NULL);
		write_text(mounted, "cgroup.procs", "0");
		each_folder(path, false);
	}
}

/* The group of a number as the log has it at the reader's place on; its path. */
static bool find_group(struct run *run, uint64_t number, uint32_t hierarchy,
		       struct kp_container *ret)
{
	const struct kp_ev_cgroup *ev;

	while ((ev = next_of(run, KP_EV_cgroup)))
		if (ev->cgroup == number && ev->hierarchy == hierarchy)
			return kp_container_parse((const char *)KP_TAIL(ev), ev->data_len, ret);
	return false;
}

static void check_container(const char *dir, size_t i)
{
	struct run run = {.dir = ""};
	const struct kp_ev_task_cgroup *born;
	const struct kp_ev_cgroup *ev;
	struct kp_container of = {.id = ""};
	char path[512];

	below_test(i, path);
	cr_assert_eq(kp_log_open(dir, NULL, &run.reader, NULL), 0);
	while ((ev = next_of(&run, KP_EV_cgroup)) &&
	       !(ev->what == KP_CGROUP_MADE && ev->data_len == strlen(path) + 1 &&
		 !memcmp((const char *)KP_TAIL(ev) + 1, path, ev->data_len - 1)))
		;
	cr_assert(ev, "%s was not made", path);
	struct kp_ev_cgroup made = *ev;

	while ((born = next_of(&run, KP_EV_task_cgroup)) &&
	       number_in(born, made.hierarchy) != made.cgroup)
		;
	cr_assert(born, "nobody was born in %s", path);
	kp_log_reader_free(run.reader);
	cr_assert_eq(kp_log_open(dir, NULL, &run.reader, NULL), 0);
	cr_expect(find_group(&run, made.cgroup, made.hierarchy, &of), "%s", path);
	cr_expect_str_eq(of.id, ID, "%s: %s", path, of.id);
	cr_expect_str_eq(of.pod_uid, containers[i].has_pod ? UID : "", "%s: %s", path, of.pod_uid);
	kp_log_reader_free(run.reader);
	kp_names_done(&run.names);
}

static void record_containers(const char *controller)
{
	struct run run = {0};

	need_mount(controller);
	tester = getpid();
	record_child(&run, run_containers, (struct kp_recorder_options){0});
	for (size_t i = 0; i < CONTAINER_CNT; i++)
		check_container(run.dir, i);
	done(&run);
}

Test(identity, containers_of_version_2)
{
	record_containers(NULL);
}

Test(identity, containers_of_version_1)
{
	record_containers("memory");
}
