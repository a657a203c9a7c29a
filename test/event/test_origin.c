/* SPDX-License-Identifier: MIT
 * Programs, containers and pods of processes over time, as events tell them in any order that
 * happens, and as a hostile log may.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "event/origin.h"

#define ID "3f4d29c1e5b86a70f2c9d4e8b1a6573c0d9e2f8a7b4c5d6e1f0a9b8c7d6e5f40"
#define UID "0ab3c9d1-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
#define PATH "/kubepods/burstable/pod" UID "/" ID

static struct kp_origins *origins;

static void begin(void)
{
	origins = kp_origins_new();
	cr_assert(origins);
}

static void end(void)
{
	kp_origins_free(origins);
}

TestSuite(origin, .init = begin, .fini = end);

struct data {
	const char *at;
	uint32_t len;
};

/* An event with its data behind it. */
static void add(struct kp_hdr *event, uint16_t kind, size_t struct_len, uint32_t pid, uint64_t t_ns,
		struct data data)
{
	_Alignas(8) unsigned char whole[4096] = {0};
	struct kp_hdr *hdr = (struct kp_hdr *)whole;
	struct kp_err err;

	memcpy(whole, event, struct_len);
	*hdr = (struct kp_hdr){.time_ns = t_ns,
			       .size = (uint32_t)KP_ALIGN8(struct_len + data.len),
			       .kind = kind,
			       .pid = pid,
			       .tid = pid};
	if (data.at) {
		memcpy(whole + struct_len - sizeof(data.len), &data.len, sizeof(data.len));
		memcpy(whole + struct_len, data.at, data.len);
	}
	cr_assert_eq(kp_event_validate(whole, sizeof(whole), &err), 0, "%s", err.text);
	cr_assert_eq(kp_origins_add(origins, hdr), 0);
}

/* ADD(what, pid, time, its data, fields…) */
#define ADD(what, pid, t_ns, data, ...)                                       \
	do {                                                                  \
		struct kp_ev_##what ev = {.hdr = {.size = 0}, ##__VA_ARGS__}; \
		add(&ev.hdr, KP_EV_##what, sizeof(ev), pid, t_ns, (data));    \
	} while (0)

#define NOTHING ((struct data){NULL, 0})
/* A text as it is; and one with the NULs within it, and one behind. */
#define TEXT(text) ((struct data){text, sizeof(text) - 1})
#define TEXTS(text) ((struct data){text, sizeof(text)})

static const char *program(uint32_t pid, uint64_t t_ns)
{
	const char *exe = kp_origins_get(origins, pid, t_ns).exe;

	return exe ? exe : "";
}

static void expect_origin(uint32_t pid, const char *expected)
{
	struct kp_origin origin = kp_origins_get(origins, pid, UINT64_MAX);
	struct kp_buf out = {0};

	kp_origin_print(&origin, &out);
	cr_expect_str_eq(out.len ? out.data : "", expected);
	kp_buf_done(&out);
}

static void name_pod(void)
{
	ADD(pod, 0, 1, TEXTS("default\0web-0\0" UID));
	ADD(container, 0, 1, TEXTS("default\0web-0\0" UID "\0nginx\0" ID));
}

Test(origin, programs_over_time)
{
	ADD(executable, 5, 10, TEXTS("/bin/sh\0abcd"), .ino = 1);
	ADD(task_fork, 5, 20, NOTHING, .child_pid = 6, .child_tid = 6);
	ADD(task_exec, 6, 30, TEXT("ls"), .ino = 2);
	cr_expect_str_eq(program(5, 10), "/bin/sh");
	cr_expect_str_eq(program(5, 1), "/bin/sh", "it ran before the log began");
	cr_expect_str_eq(program(6, 25), "/bin/sh");
	cr_expect_str_eq(program(6, 35), "", "not told yet");
	ADD(executable, 6, 40, TEXTS("/bin/ls\0"), .ino = 2);
	cr_expect_str_eq(program(6, 35), "/bin/ls");
	cr_expect_str_eq(program(6, 25), "/bin/sh");
	cr_expect_str_eq(program(5, 50), "/bin/sh");
	cr_expect_str_eq(kp_origins_get(origins, 5, 50).build_id, "abcd");
	cr_expect_null(kp_origins_get(origins, 6, 50).build_id);
	ADD(task_exec, 5, 60, TEXT("ls"), .ino = 2);
	cr_expect_str_eq(program(5, 60), "/bin/ls", "known by its file");
	cr_expect_str_eq(program(7, 60), "");
}

/* A file of that number may be another one later. */
Test(origin, a_file_that_is_replaced)
{
	ADD(executable, 5, 10, TEXTS("/bin/old\0aa"), .ino = 1);
	ADD(task_exec, 6, 20, TEXTS("new"), .ino = 1);
	ADD(executable, 6, 30, TEXTS("/bin/new\0bb"), .ino = 1);
	cr_expect_str_eq(program(5, 40), "/bin/old");
	cr_expect_str_eq(program(6, 40), "/bin/new");
}

Test(origin, by_control_group)
{
	ADD(task_cgroup, 5, 10, NOTHING, .cgroup = 7);
	expect_origin(5, "");
	ADD(cgroup, 0, 20, TEXT(PATH), .cgroup = 7);
	expect_origin(5, "pod " UID " container 3f4d29c1e5b8");
	name_pod();
	expect_origin(5, "default/web-0/nginx");
	ADD(cgroup_attach, 1, 30, NOTHING, .target_pid = 5, .target_tid = 5, .cgroup = 1);
	expect_origin(5, "");
}

/* Version 1: the group counts in its own hierarchy only. */
Test(origin, by_the_hierarchy_of_a_controller)
{
	ADD(cgroup, 0, 10, TEXT(PATH), .cgroup = 7, .hierarchy = 4);
	ADD(task_cgroup, 5, 20, NOTHING, .cgroup = 7, .memory_cgroup = 8, .memory_hierarchy = 4);
	ADD(task_cgroup, 6, 20, NOTHING, .cgroup = 1, .memory_cgroup = 7, .memory_hierarchy = 4);
	ADD(task_cgroup, 7, 20, NOTHING, .cgroup = 1, .cpu_cgroup = 7, .cpu_hierarchy = 4);
	ADD(task_cgroup, 8, 20, NOTHING, .cgroup = 1, .named_cgroup = 7, .named_hierarchy = 4);
	name_pod();
	expect_origin(5, "");
	expect_origin(6, "default/web-0/nginx");
	expect_origin(7, "default/web-0/nginx");
	expect_origin(8, "default/web-0/nginx");
}

Test(origin, as_much_as_is_known)
{
	ADD(cgroup, 0, 10, TEXT("/kubepods/pod" UID), .cgroup = 7);
	ADD(task_cgroup, 5, 20, NOTHING, .cgroup = 7);
	expect_origin(5, "pod " UID);
	ADD(pod, 0, 30, TEXTS("default\0web-0\0" UID));
	expect_origin(5, "default/web-0");
	ADD(cgroup, 0, 40, TEXT("/docker/" ID), .cgroup = 8);
	ADD(task_cgroup, 6, 50, NOTHING, .cgroup = 8);
	expect_origin(6, "container 3f4d29c1e5b8");
}

/* The number of a group that is gone may be another's. */
Test(origin, a_group_that_is_no_container_any_more)
{
	ADD(cgroup, 0, 10, TEXT(PATH), .cgroup = 7);
	ADD(task_cgroup, 5, 20, NOTHING, .cgroup = 7);
	ADD(cgroup, 0, 30, TEXT("/system.slice"), .cgroup = 7, .what = KP_CGROUP_MADE);
	expect_origin(5, "");
}

Test(origin, texts_that_are_not_there)
{
	ADD(executable, 5, 10, TEXT("/bin/sh"));
	ADD(executable, 6, 10, TEXTS("\0"));
	ADD(pod, 0, 10, TEXT(""));
	ADD(container, 0, 10, TEXTS("default\0web-0\0" UID "\0nginx"));
	ADD(cgroup, 0, 20, TEXT(PATH), .cgroup = 7);
	ADD(task_cgroup, 5, 20, NOTHING, .cgroup = 7);
	cr_expect_str_eq(program(5, 20), "");
	cr_expect_str_eq(program(6, 20), "");
	expect_origin(5, "pod " UID " container 3f4d29c1e5b8");
}

Test(origin, names_of_strangers_print_on_one_line)
{
	ADD(cgroup, 0, 20, TEXT(PATH), .cgroup = 7);
	ADD(task_cgroup, 5, 20, NOTHING, .cgroup = 7);
	ADD(pod, 0, 10, TEXTS("de\nfault\0we\033[2Jb\0" UID));
	expect_origin(5, "de\\nfault/we\\x1b[2Jb container 3f4d29c1e5b8");
}

/* More forks and execs than are kept: what each runs now is known all the same. */
Test(origin, a_long_history, .timeout = 60)
{
	ADD(executable, 5, 10, TEXTS("/bin/sh\0abcd"), .ino = 1);
	for (uint32_t i = 0; i < 1200000; i++) {
		struct kp_ev_task_fork fork = {.hdr = {.kind = KP_EV_task_fork,
						       .pid = 5,
						       .tid = 5,
						       .time_ns = 20 + i,
						       .size = sizeof(fork)},
					       .child_pid = 10 + i % 30000};

		cr_assert_eq(kp_origins_add(origins, &fork.hdr), 0);
	}
	cr_expect_str_eq(program(5, UINT64_MAX), "/bin/sh");
	cr_expect_str_eq(program(10, UINT64_MAX), "/bin/sh");
	cr_expect_str_eq(program(30009, UINT64_MAX), "/bin/sh");
}
