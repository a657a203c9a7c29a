/* SPDX-License-Identifier: MIT
 * Processes chosen for replay by name, control group and pod: whose bytes are in the log, and whose
 * are not.
 */
#include "record/wanted.h"

#include <linux/sched.h>
#include <sys/syscall.h>

#include "groups.h"
#include "probes_run.h"

static const char marker[] = "the bytes of the one that is wanted";
static const char other[] = "bytes that nobody wants";

/* As programs write who are recorded with their bytes, or not. */
static void say(const char *text)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(9);
	close(fd);
}

static void say_in_child(const char *name, const char *text)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NAME, name);
		sleep_ms(400); /* its name is seen meanwhile */
		say(text);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void say_by_name(struct told *told)
{
	(void)told;
	say_in_child("kp-unwanted", other);
	say_in_child("kp-test-x", marker);
}

static bool find_payload(const char *dir, const char *text)
{
	struct run run = {.dir = ""};
	const struct kp_ev_payload *ev;
	bool found = false;

	cr_assert_eq(kp_log_open(dir, NULL, &run.reader, NULL), 0);
	while (!found && (ev = next_of(&run, KP_EV_payload))) {
		cr_expect_neq(ev->hdr.pid, (uint32_t)getpid(), "the recorder recorded itself");
		found = ev->data_len == strlen(text) && !memcmp(KP_TAIL(ev), text, ev->data_len);
	}
	kp_log_reader_free(run.reader);
	kp_names_done(&run.names);
	return found;
}

static void record_wanted(void (*fn)(struct told *told), enum kp_wanted_by by, const char *text)
{
	const struct kp_wanted wanted = {by, text};
	struct run run = {0};
	struct kp_err err;

	cr_assert_eq(kp_wanted_check(&wanted, &err), 0, "%s", err.text);
	record_child(&run, fn,
		     (struct kp_recorder_options){
			     .wanted = &wanted, .wanted_cnt = 1, .pod_logs = *logs ? logs : NULL});
	cr_expect(find_payload(run.dir, marker), "what is wanted is not there");
	cr_expect(!find_payload(run.dir, other), "what is not wanted is there");
	done(&run);
}

Test(wanted, by_name, .init = need_probes, .timeout = 60)
{
	record_wanted(say_by_name, KP_WANTED_COMM, "kp-[st]*-?");
}

static char group[384], inner[512];

/* Into a group that is made below the chosen one, and says something at once. */
static void say_in_group(struct told *told)
{
	(void)told;
	mkdir(group, 0755);
	sleep_ms(400); /* it is chosen meanwhile; what is made in it is chosen at once */
	say(other);
	if (mkdir(inner, 0755))
		_exit(10);
	if (!fork()) {
		write_text(inner, "cgroup.procs", "0");
		say(marker);
		_exit(0);
	}
	wait(NULL);
	rmdir(inner);
	rmdir(group);
}

static void record_wanted_group(const char *controller, void (*fn)(struct told *told))
{
	char path[64];

	need_mount(controller);
	snprintf(path, sizeof(path), "/kprobe-want-%d", getpid());
	snprintf(group, sizeof(group), "%s%s", mounted, path);
	snprintf(inner, sizeof(inner), "%s/inner", group);
	record_wanted(fn, KP_WANTED_CGROUP, path);
}

Test(wanted, by_control_group_of_version_2, .init = need_probes, .timeout = 60)
{
	record_wanted_group(NULL, say_in_group);
}

Test(wanted, by_control_group_of_version_1, .init = need_probes, .timeout = 60)
{
	record_wanted_group("memory", say_in_group);
}

Test(wanted, by_control_group_with_a_name, .init = need_probes, .timeout = 60)
{
	record_wanted_group("name=", say_in_group);
}

/* Born in a group just made below the chosen one, never moved there: nobody has time to look. */
static void say_born_in_group(struct told *told)
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	long pid;

	(void)told;
	mkdir(group, 0755);
	sleep_ms(400);
	say(other);
	if (mkdir(inner, 0755))
		_exit(10);
	args.cgroup = (uint64_t)open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		_exit(11);
	if (!pid) {
		say(marker);
		_exit(0);
	}
	waitpid((pid_t)pid, NULL, 0);
	rmdir(inner);
	rmdir(group);
}

Test(wanted, born_in_a_control_group, .init = need_probes, .timeout = 60)
{
	record_wanted_group(NULL, say_born_in_group);
}

/* The group and who is in it were there before the recorder. */
static void say_from_before(struct told *told)
{
	(void)told;
	sleep_ms(400);
	say(marker);
	write_text(mounted, "cgroup.procs", "0");
}

Test(wanted, who_is_in_a_control_group_already, .init = need_probes, .timeout = 60)
{
	need_mount(NULL);
	snprintf(group, sizeof(group), "%s/kprobe-want-%d", mounted, getpid());
	cr_assert_eq(mkdir(group, 0755), 0);
	write_text(group, "cgroup.procs", "0"); /* the child that record_child makes is there too */
	record_wanted(say_from_before, KP_WANTED_CGROUP, group + strlen(mounted));
	write_text(mounted, "cgroup.procs", "0");
	cr_expect_eq(rmdir(group), 0);
}

/* As kubelet and a runtime do: the pod's group, its logs, the container's group. */
static void run_pod(struct told *told)
{
	char path[1024];

	(void)told;
	say(other);
	each_folder("kprobe-test/kubepods/pod" UID, true);
	make_pod("default", "web-0", UID);
	sleep_ms(400);
	each_folder("kprobe-test/kubepods/pod" UID "/" ID, true);
	snprintf(path, sizeof(path), "%s/kprobe-test/kubepods/pod" UID "/" ID, mounted);
	if (!fork()) {
		write_text(path, "cgroup.procs", "0");
		say(marker);
		_exit(0);
	}
	wait(NULL);
	each_folder("kprobe-test/kubepods/pod" UID "/" ID, false);
}

Test(wanted, by_pod, .init = need_probes, .timeout = 60)
{
	need_mount(NULL);
	make_logs();
	record_wanted(run_pod, KP_WANTED_POD, "default/web-0");
	remove_logs();
}

Test(wanted, what_can_match)
{
	static const struct {
		enum kp_wanted_by by;
		const char *text;
		bool can;
	} rows[] = {
		{KP_WANTED_COMM, "nginx*", true},
		{KP_WANTED_COMM, "abcdefghijklmno", true},
		{KP_WANTED_COMM, "abcdefghijklmn[op]*", true},
		{KP_WANTED_COMM, "[]]", true},
		{KP_WANTED_COMM, "\\[", true},
		{KP_WANTED_COMM, "abcdefghijklmnop", false},
		{KP_WANTED_COMM, "", false},
		{KP_WANTED_COMM, "a[b", false},
		{KP_WANTED_COMM, "[]", false},
		{KP_WANTED_CGROUP, "/system.slice", true},
		{KP_WANTED_CGROUP, "/", true},
		{KP_WANTED_CGROUP, "system.slice", false},
		{KP_WANTED_CGROUP, "/sys/fs/cgroup/system.slice", false},
		{KP_WANTED_POD, "default/web-0", true},
		{KP_WANTED_POD, "web-0", false},
		{KP_WANTED_POD, "/web-0", false},
		{KP_WANTED_POD, "default/", false},
		{KP_WANTED_POD, "default/web_0", false},
	};
	struct kp_err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(kp_wanted_check(&(struct kp_wanted){rows[i].by, rows[i].text}, &err) ==
				     0,
			     rows[i].can, "%s", rows[i].text);
}

/* Below it, not beside it. */
Test(wanted, paths)
{
	const struct kp_wanted wanted[] = {{KP_WANTED_CGROUP, "/a/b/"}};
	struct kp_wanted_list list;

	cr_assert_eq(kp_wanted_init(&list, wanted, 1), 0);
	cr_expect(!kp_wanted_cgroup(&list, "/a", 2));
	cr_expect(!kp_wanted_cgroup(&list, "/a/bc", 5));
	cr_expect(!list.found[0]);
	cr_expect(kp_wanted_cgroup(&list, "/a/b", 4));
	cr_expect(kp_wanted_cgroup(&list, "/a/b/c", 6));
	cr_expect(list.found[0]);
	kp_wanted_done(&list);
}
