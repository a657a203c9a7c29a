/* SPDX-License-Identifier: MIT
 * Which calls the filters let through, as they say and as the kernel runs them.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event/syscall.h"
#include "replay/filter.h"

/* Makes the call in a child behind the filter; true: the kernel let it through. */
static bool runs(enum kp_filter_kind kind, uint64_t nr, const uint64_t args[6])
{
	struct kp_filter filter;
	struct sock_fprog program;
	pid_t pid;
	int status;

	kp_filter_build(kind, &filter);
	program = (struct sock_fprog){filter.len, filter.code};
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			_exit(1);
		syscall((long)nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		syscall(SYS_exit_group, 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS), "status %#x",
		  status);
	return status == 0;
}

Test(filter, says_what_the_kernel_does)
{
	static const char path[] = "/nowhere";
	const uint64_t at = (uint64_t)(uintptr_t)path;
	const struct {
		enum kp_filter_kind kind;
		uint64_t nr, args[6];
		bool may;
	} rows[] = {
		{KP_FILTER_LOADER, KP_NR_openat, {-100, at, O_RDONLY | O_CLOEXEC}, true},
		{KP_FILTER_LOADER, KP_NR_openat, {-100, at, O_WRONLY}, false},
		{KP_FILTER_LOADER, KP_NR_openat, {-100, at, O_RDONLY | O_CREAT}, false},
		{KP_FILTER_LOADER, KP_NR_open, {at, O_RDWR}, false},
		{KP_FILTER_LOADER, KP_NR_openat2, {-100, at}, false},
		{KP_FILTER_LOADER, KP_NR_stat, {at, 0}, true},
		{KP_FILTER_LOADER, KP_NR_read, {-1, 0, 0}, true},
		{KP_FILTER_LOADER, KP_NR_write, {-1, 0, 0}, false},
		{KP_FILTER_LOADER, KP_NR_prlimit64, {0, 7, 0, 0}, true},
		{KP_FILTER_LOADER, KP_NR_prlimit64, {0, 7, 4096, 0}, false},
		{KP_FILTER_LOADER, KP_NR_prlimit64, {0, 7, 1ull << 32, 0}, false},
		{KP_FILTER_LOADER, KP_NR_mmap, {0, 0, 0, MAP_PRIVATE, -1}, true},
		{KP_FILTER_LOADER, KP_NR_mmap, {0, 0, 0, MAP_SHARED, -1}, true},
		{KP_FILTER_BUILD, KP_NR_mmap, {0, 0, 0, MAP_SHARED, -1}, true},
		{KP_FILTER_LOADER, KP_NR_execveat, {-1, at, 0, 0, 0}, false},
		{KP_FILTER_REPLAY, KP_NR_mmap, {0, 0, 0, MAP_SHARED, -1}, true},
		{KP_FILTER_REPLAY, KP_NR_openat, {-100, at, O_RDONLY}, false},
		{KP_FILTER_BUILD, KP_NR_pkey_mprotect, {0, 0, 0, -1}, true},
		{KP_FILTER_BUILD, KP_NR_rt_sigprocmask, {0, 0, 0, 8}, true},
		{KP_FILTER_BUILD, KP_NR_read, {-1, 0, 0}, false},
		{KP_FILTER_BUILD, KP_NR_execveat, {-1, at, 0, 0, AT_EMPTY_PATH}, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cr_expect_eq(kp_filter_permits(rows[i].kind, rows[i].nr, rows[i].args), rows[i].may,
			     "row %zu: %s", i, kp_syscall_name((unsigned)rows[i].nr));
		cr_expect_eq(runs(rows[i].kind, rows[i].nr, rows[i].args), rows[i].may,
			     "row %zu: %s in the kernel", i, kp_syscall_name((unsigned)rows[i].nr));
	}
}

/* Lists add up: a build runs under its loader's too. */
Test(filter, what_a_build_may_do_its_loader_may)
{
	const uint64_t args[6] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};

	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++)
		if (kp_filter_permits(KP_FILTER_BUILD, nr, args))
			cr_expect(kp_filter_permits(KP_FILTER_LOADER, nr, args), "%s",
				  kp_syscall_name(nr));
}
