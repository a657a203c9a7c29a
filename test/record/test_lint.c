/* SPDX-License-Identifier: MIT
 * Warnings about processes that have no exec, whatever the order in which rings are read.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kprobe/syscall.h"
#include "record/lint.h"

#define MAKER 100
#define CHILD 101

static char warning[512];
static int warned, put;

static void on_warning(const char *text, void *arg)
{
	(void)arg;
	warned++;
	snprintf(warning, sizeof(warning), "%s", text);
}

static void on_put(void *arg, const struct kp_hdr *event)
{
	(void)arg;
	put += event->kind == KP_EV_replay_lint;
}

static const struct kp_sink sink = {.put = on_put};

static struct kp_lint *make(void)
{
	struct kp_lint_options options = {.sink = &sink, .warn = on_warning};
	struct kp_lint *lint;
	struct kp_err err;

	warned = put = 0;
	cr_assert_eq(kp_lint_new(&options, &lint, &err), 0);
	return lint;
}

static struct kp_hdr header(uint16_t kind, uint64_t time_ns, uint32_t pid)
{
	return (struct kp_hdr){.kind = kind, .time_ns = time_ns, .pid = pid, .tid = pid};
}

/* Calls that are served without a word: getpid. */
static void calls(struct kp_lint *lint, uint64_t time_ns, uint32_t pid)
{
	struct kp_ev_syscall call = {.hdr = header(KP_EV_syscall, time_ns, pid), .nr = 39};

	kp_lint_selected(lint, &call.hdr);
}

static void forks(struct kp_lint *lint, uint64_t time_ns, uint32_t shares_memory)
{
	struct kp_ev_task_fork fork = {.hdr = header(KP_EV_task_fork, time_ns, MAKER),
				       .child_pid = CHILD,
				       .child_tid = CHILD,
				       .shares_memory = shares_memory};

	kp_lint_life(lint, &fork.hdr);
}

static void execs(struct kp_lint *lint, uint64_t time_ns)
{
	struct kp_ev_task_exec exec = {.hdr = header(KP_EV_task_exec, time_ns, CHILD)};

	kp_lint_life(lint, &exec.hdr);
}

static void ends(struct kp_lint *lint, uint64_t time_ns)
{
	struct kp_ev_task_exit end = {.hdr = header(KP_EV_task_exit, time_ns, CHILD),
				      .group_dead = 1};

	kp_lint_life(lint, &end.hdr);
}

Test(lint, fork_that_is_read_before_its_makers_calls_is_told)
{
	struct kp_lint *lint = make();

	ends(lint, 30);
	forks(lint, 20, 0);
	kp_lint_turn(lint, 15);
	calls(lint, 10, MAKER);
	cr_expect_eq(warned, 0);
	kp_lint_turn(lint, 30);
	cr_expect_eq(warned, 1);
	cr_expect_eq(put, 1);
	cr_expect(strstr(warning, "process 101 was forked and ran no program"), "%s", warning);
	kp_lint_free(lint);
}

Test(lint, exec_that_is_read_after_the_end_counts)
{
	struct kp_lint *lint = make();

	calls(lint, 10, MAKER);
	ends(lint, 30);
	execs(lint, 25);
	forks(lint, 20, 0);
	kp_lint_turn(lint, UINT64_MAX);
	cr_expect_eq(warned, 0);
	kp_lint_free(lint);
}

Test(lint, neither_vforks_nor_strangers_are_told)
{
	struct kp_lint *lint = make();

	forks(lint, 20, 0);
	ends(lint, 30);
	kp_lint_turn(lint, 40); /* nobody selected the maker */
	calls(lint, 50, MAKER);
	forks(lint, 60, 1);
	ends(lint, 70);
	kp_lint_turn(lint, 80);
	cr_expect_eq(warned, 0);
	kp_lint_free(lint);
}

/* --- what is served and cannot be vouched for --- */

static struct kp_ev_syscall call_of(uint32_t pid, uint64_t time_ns, uint32_t nr, int64_t ret)
{
	struct kp_ev_syscall call = {
		.hdr = header(KP_EV_syscall, time_ns, pid), .nr = nr, .ret = ret};

	call.seq = (uint32_t)time_ns;
	return call;
}

/* A call on a file, with the state in which it left it. */
static void uses_inode(struct kp_lint *lint, uint32_t pid, uint64_t time_ns, uint32_t nr,
		       const struct stat *st)
{
	struct kp_ev_syscall call = call_of(pid, time_ns, nr, 1 << 20);
	struct kp_ev_file_state state = {.hdr = header(KP_EV_file_state, time_ns, pid),
					 .ino = st->st_ino,
					 .dev = major(st->st_dev) << 20 | minor(st->st_dev),
					 .seq = call.seq,
					 .nr = nr};

	kp_lint_selected(lint, &state.hdr);
	kp_lint_selected(lint, &call.hdr);
}

static const struct stat some_file = {.st_ino = 7, .st_dev = 0x801};

Test(lint, efault_is_told_where_something_may_be_stored)
{
	struct kp_lint *lint = make();
	struct kp_ev_syscall call = call_of(MAKER, 10, KP_NR_read, -EFAULT);

	kp_lint_selected(lint, &call.hdr); /* to NULL */
	call.nr = KP_NR_write;
	call.arg1 = 1 << 20;
	kp_lint_selected(lint, &call.hdr);
	cr_expect_eq(warned, 0, "%s", warning);
	call.nr = KP_NR_read;
	kp_lint_selected(lint, &call.hdr);
	cr_expect_eq(put, 1);
	cr_expect(strstr(warning, "process 100 called read, which gave EFAULT"), "%s", warning);
	cr_expect(strstr(warning, "cannot judge"), "%s", warning);
	kp_lint_free(lint);
}

/* Opens path with open(2)'s flags. */
static void opens(struct kp_lint *lint, uint64_t time_ns, const char *path, uint64_t flags)
{
	struct kp_ev_syscall call = call_of(MAKER, time_ns, KP_NR_open, 3);
	struct {
		struct kp_ev_payload payload;
		char path[32];
	} event = {.payload = {.hdr = header(KP_EV_payload, time_ns, MAKER),
			       .seq = call.seq,
			       .nr = KP_NR_open,
			       .dir = KP_DIR_IN}};

	snprintf(event.path, sizeof event.path, "%s", path);
	event.payload.data_len = event.payload.want_len = (uint32_t)strlen(path) + 1;
	call.arg1 = flags;
	kp_lint_selected(lint, &event.payload.hdr);
	kp_lint_selected(lint, &call.hdr);
}

Test(lint, memory_opened_for_writing_is_told)
{
	struct kp_lint *lint = make();

	opens(lint, 10, "/proc/self/mem", O_RDONLY);
	opens(lint, 11, "/proc/self/maps", O_RDWR);
	opens(lint, 12, "/proc/101/mem", O_RDWR);
	cr_expect_eq(warned, 0, "%s", warning);
	opens(lint, 13, "/proc/100/mem", O_RDWR);
	cr_expect(strstr(warning, "opened its memory as a file"), "%s", warning);
	kp_lint_free(lint);
}

Test(lint, writer_of_a_mapped_file_is_told_in_either_order)
{
	struct kp_lint *lint = make();
	const struct stat other = {.st_ino = 8, .st_dev = 0x801};

	uses_inode(lint, MAKER, 10, KP_NR_mmap, &some_file);
	uses_inode(lint, MAKER, 20, KP_NR_write, &some_file); /* its own */
	uses_inode(lint, CHILD, 9, KP_NR_write, &some_file);  /* before */
	uses_inode(lint, CHILD, 30, KP_NR_mmap, &some_file);  /* changes nothing */
	uses_inode(lint, CHILD, 30, KP_NR_write, &other);
	cr_expect_eq(warned, 0, "%s", warning);
	uses_inode(lint, MAKER, 25, KP_NR_mmap, &other);
	cr_expect_eq(put, 1);
	cr_expect(strstr(warning, "process 100 has mapped a file (inode 8) to which process 101"),
		  "%s", warning);
	uses_inode(lint, CHILD, 40, KP_NR_write, &some_file);
	cr_expect_eq(put, 2);
	kp_lint_free(lint);
}

Test(lint, what_is_no_longer_mapped_is_not_told)
{
	struct kp_lint *lint = make();

	calls(lint, 1, CHILD);
	uses_inode(lint, CHILD, 10, KP_NR_mmap, &some_file);
	ends(lint, 30);
	kp_lint_turn(lint, 30);
	uses_inode(lint, MAKER, 40, KP_NR_write, &some_file);
	cr_expect_eq(warned, 0, "%s", warning);
	uses_inode(lint, CHILD, 60, KP_NR_mmap, &some_file); /* read before the exec */
	execs(lint, 50);
	kp_lint_turn(lint, 70);
	uses_inode(lint, MAKER, 80, KP_NR_write, &some_file);
	cr_expect_eq(put, 1);
	kp_lint_free(lint);
}

Test(lint, bytes_that_only_the_kernel_saw_are_told)
{
	static const uint32_t calls[] = {KP_NR_sendfile, KP_NR_splice, KP_NR_copy_file_range};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct kp_lint *lint = make();

		uses_inode(lint, MAKER, 10, calls[i], &some_file);
		uses_inode(lint, MAKER, 20, KP_NR_mmap, &some_file);
		uses_inode(lint, MAKER, 30, KP_NR_write, &some_file);
		cr_expect_eq(warned, 0, "%s", warning);
		uses_inode(lint, MAKER, 40, calls[i], &some_file);
		cr_expect(strstr(warning, "only the kernel saw"), "%u: %s", calls[i], warning);
		kp_lint_free(lint);
	}
}

Test(lint, truncation_by_a_path_finds_who_has_mapped_the_file)
{
	char path[] = "/tmp/test-lint-XXXXXX";
	int fd = mkstemp(path);
	struct kp_ev_syscall call = call_of((uint32_t)getpid(), 20, KP_NR_truncate, 0);
	struct {
		struct kp_ev_payload payload;
		char path[sizeof path];
	} event = {.payload = {.hdr = header(KP_EV_payload, 20, (uint32_t)getpid()),
			       .seq = call.seq,
			       .nr = KP_NR_truncate,
			       .data_len = sizeof path,
			       .want_len = sizeof path}};
	struct kp_lint *lint = make();
	struct stat st;

	cr_assert(fd >= 0 && fstat(fd, &st) == 0);
	memcpy(event.path, path, sizeof path);
	uses_inode(lint, MAKER, 10, KP_NR_mmap, &st);
	kp_lint_selected(lint, &event.payload.hdr);
	kp_lint_selected(lint, &call.hdr);
	cr_expect_eq(put, 2);
	cr_expect(strstr(warning, "process 100 has mapped a file"), "%s", warning);
	call.hdr.time_ns = call.seq = 30; /* a path that is not known */
	call.hdr.pid = call.hdr.tid = CHILD;
	kp_lint_selected(lint, &call.hdr);
	cr_expect_eq(put, 3);
	cr_expect(strstr(warning, "process 100 has") || strstr(warning, "truncated a file by"),
		  "%s", warning);
	unlink(path);
	close(fd);
	kp_lint_free(lint);
}

Test(lint, segments_of_others_are_told)
{
	struct kp_lint *lint = make();
	struct kp_ev_syscall get = call_of(MAKER, 10, KP_NR_shmget, 5),
			     attach = call_of(MAKER, 11, KP_NR_shmat, 1 << 20);

	get.arg0 = IPC_PRIVATE;
	attach.arg0 = 5;
	kp_lint_selected(lint, &get.hdr);
	kp_lint_selected(lint, &attach.hdr);
	cr_expect_eq(warned, 0, "%s", warning);
	attach.arg0 = 6;
	kp_lint_selected(lint, &attach.hdr);
	cr_expect(strstr(warning, "did not make, which replay cannot serve"), "%s", warning);
	get.arg0 = 1234;
	get.arg1 = 4096;
	get.ret = 7;
	kp_lint_selected(lint, &get.hdr);
	cr_expect(strstr(warning, "may hold what another process left"), "%s", warning);
	kp_lint_free(lint);
}

Test(lint, unknown_advice_is_told)
{
	struct kp_lint *lint = make();
	struct kp_ev_syscall call = call_of(MAKER, 10, KP_NR_madvise, 0);

	call.arg2 = 4; /* MADV_DONTNEED */
	kp_lint_selected(lint, &call.hdr);
	cr_expect_eq(warned, 0, "%s", warning);
	call.arg2 = 77;
	kp_lint_selected(lint, &call.hdr);
	cr_expect(strstr(warning, "madvise"), "%s", warning);
	kp_lint_free(lint);
}

static void takes(struct kp_lint *lint, int sig, int code, uint64_t handler, int64_t orig_ax)
{
	struct {
		struct kp_ev_signal_deliver deliver;
		struct kp_pt_regs regs;
	} event = {.deliver = {.hdr = header(KP_EV_signal_deliver, 10, MAKER),
			       .handler = handler,
			       .sig = sig,
			       .code = code,
			       .data_len = sizeof event.regs}};

	event.regs.orig_ax = (uint64_t)orig_ax;
	kp_lint_selected(lint, &event.deliver.hdr);
}

Test(lint, signal_between_two_calls_is_told)
{
	struct kp_lint *lint = make();

	takes(lint, 14, 0, 1 << 20, 35); /* SIGALRM at a call's end */
	takes(lint, 11, 1, 1 << 20, -1); /* SIGSEGV, a fault */
	takes(lint, 17, 0, 0, -1);       /* SIGCHLD without a handler */
	takes(lint, 9, 0, 0, -1);        /* SIGKILL */
	cr_expect_eq(warned, 0, "%s", warning);
	takes(lint, 14, 0, 1 << 20, -1);
	cr_expect(strstr(warning, "took SIGALRM between two calls"), "%s", warning);
	kp_lint_free(lint);
}
