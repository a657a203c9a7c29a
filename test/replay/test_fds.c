/* SPDX-License-Identifier: MIT
 * Where descriptors lead after a process's calls.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "replay/fds.h"

static void apply(struct kp_fds *fds, unsigned nr, int64_t ret, uint64_t a0, uint64_t a1,
		  uint64_t a2)
{
	struct kp_ev_syscall call = {.nr = nr, .ret = ret, .arg0 = a0, .arg1 = a1, .arg2 = a2};

	kp_fds_apply(fds, &call);
}

Test(fds, follow_duplicates_and_closes)
{
	struct kp_fds fds;

	kp_fds_init(&fds);
	cr_expect_eq(kp_fds_stream(&fds, 1), 1);
	cr_expect_eq(kp_fds_stream(&fds, 2), 2);
	cr_expect_eq(kp_fds_stream(&fds, 0), 0);
	apply(&fds, SYS_dup, 5, 1, 0, 0);
	apply(&fds, SYS_dup2, 1, 3, 1, 0); /* 1 leads to a file now */
	cr_expect_eq(kp_fds_stream(&fds, 1), 0);
	cr_expect_eq(kp_fds_stream(&fds, 5), 1);
	apply(&fds, SYS_dup2, 1, 5, 1, 0);
	cr_expect_eq(kp_fds_stream(&fds, 1), 1);
	apply(&fds, SYS_dup2, -9, 2, 1, 0); /* failed */
	cr_expect_eq(kp_fds_stream(&fds, 1), 1);
	apply(&fds, SYS_close, -5, 1, 0, 0); /* closed although it reports an error */
	cr_expect_eq(kp_fds_stream(&fds, 1), 0);
	apply(&fds, SYS_close_range, 0, 2, 100, 0);
	cr_expect_eq(kp_fds_stream(&fds, 2) + kp_fds_stream(&fds, 5), 0);
}

Test(fds, exec_closes_what_is_marked)
{
	struct kp_fds fds;

	kp_fds_init(&fds);
	apply(&fds, SYS_fcntl, 10, 1, F_DUPFD_CLOEXEC, 10);
	apply(&fds, SYS_fcntl, 11, 2, F_DUPFD, 10);
	apply(&fds, SYS_fcntl, 0, 2, F_SETFD, FD_CLOEXEC);
	apply(&fds, SYS_execve, 0, 0, 0, 0);
	cr_expect_eq(kp_fds_stream(&fds, 10), 0);
	cr_expect_eq(kp_fds_stream(&fds, 11), 2);
	cr_expect_eq(kp_fds_stream(&fds, 2), 0);
	cr_expect_eq(kp_fds_stream(&fds, 1), 1);
}

Test(fds, numbers_from_a_log_may_be_anything)
{
	struct kp_fds fds;

	kp_fds_init(&fds);
	apply(&fds, SYS_dup2, 0, 1, 1ull << 31, 0);
	apply(&fds, SYS_close, 0, UINT64_MAX, 0, 0);
	apply(&fds, SYS_close_range, 0, 3, UINT32_MAX, 0);
	cr_expect_eq(kp_fds_stream(&fds, UINT64_MAX), 0);
	cr_expect_eq(kp_fds_stream(&fds, 1), 1);
}

Test(fds, a_descriptor_has_names_in_the_file_system)
{
	static const struct {
		const char *path;
		int stream;
	} names[] = {
		{"/dev/stdout", 1},
		{"/dev/stderr", 2},
		{"/dev/stdin", 0},
		{"/dev/fd/1", 1},
		{"/proc/self/fd/2", 2},
		{"/proc/77/fd/1", 1},
		{"/proc/78/fd/1", 0},
		{"/dev/fd/1025", 0},
		{"/dev/fd/1x", 0},
		{"/dev/fd/", 0},
		{"/proc/thread-self/fd/1", 1},
		{"/tmp/dev/stdout", 0},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct kp_fds fds;

		kp_fds_init(&fds);
		kp_fds_opened(&fds, names[i].path, 77, 5, false);
		cr_expect_eq(kp_fds_stream(&fds, 5), names[i].stream, "%s", names[i].path);
	}
}
