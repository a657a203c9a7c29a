/* SPDX-License-Identifier: MIT
 * The table of system calls against the installed header, its own consistency, and how calls print.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/command.h"
#include "event/syscall.h"

Test(syscalls, has_every_call_of_the_installed_header)
{
	FILE *file = fopen("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "r");
	char line[256], name[64];
	unsigned nr, cnt = 0;

	if (!file)
		cr_skip_test("asm/unistd_64.h is not installed");
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "#define __NR_%63s %u", name, &nr) != 2)
			continue;
		const struct kp_syscall *row = kp_syscall_get(nr);

		cr_expect(row, "%s (%u) is missing", name, nr);
		if (row)
			cr_expect_str_eq(row->name, name);
		cr_expect_eq(kp_syscall_find(name), (int)nr);
		cnt++;
	}
	fclose(file);
	cr_expect_gt(cnt, 350);
}

static void check_arg(const struct kp_syscall *row, int i)
{
	const struct kp_arg *arg = &row->rule.args[i];
	const struct kp_arg *len = &row->rule.args[arg->len_arg];

	cr_expect_eq(arg->type == KP_ARG_BUF, arg->rule != KP_LEN_NONE, "%s %d", row->name, i);
	/* A descriptor has a direction when the file behind it is changed. */
	cr_expect(arg->type == KP_ARG_BUF ? arg->dir != 0 : !arg->dir || arg->type == KP_ARG_FD,
		  "%s %d", row->name, i);
	switch ((enum kp_len_rule)arg->rule) {
	case KP_LEN_RET:
		if (!arg->len_arg)
			break;
		/* fallthrough */
	case KP_LEN_ARG:
	case KP_LEN_BITS:
	case KP_LEN_PAGES:
	case KP_LEN_IOV:
	case KP_LEN_MSGBUF:
	case KP_LEN_CLONE:
		cr_expect(len->type == KP_ARG_UINT || len->type == KP_ARG_INT,
			  "%s: length of argument %d", row->name, i);
		break;
	case KP_LEN_COMMAND:
		cr_expect_neq(len->type, KP_ARG_BUF, "%s: command of argument %d", row->name, i);
		break;
	case KP_LEN_U32AT:
		cr_expect_eq(len->type, KP_ARG_PTR, "%s: length of argument %d", row->name, i);
		break;
	default:
		cr_expect_gt(arg->unit + (arg->rule == KP_LEN_NONE), 0, "%s %d", row->name, i);
	}
}

Test(syscalls, rows_are_consistent)
{
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);

		if (!row)
			continue;
		cr_expect_neq(row->action, KP_ACT_NONE, "%s", row->name);
		for (int i = 0; i < KP_ARG_MAX; i++) {
			cr_expect_eq(row->arg_names[i] != NULL,
				     row->rule.args[i].type != KP_ARG_NONE);
			if (i && row->arg_names[i])
				cr_expect(row->arg_names[i - 1], "%s has a hole", row->name);
			check_arg(row, i);
		}
	}
	cr_expect(!kp_syscall_get(400));
	cr_expect(!kp_syscall_get(KP_SYSCALL_MAX));
	cr_expect_eq(kp_syscall_find("file_setattr"), 469);
	cr_expect_eq(kp_syscall_find("no such call"), -ENOENT);
	cr_expect_str_eq(kp_syscall_name(400), "syscall_400");
}

static void expect_print(struct kp_ev_syscall event, const char *text)
{
	struct kp_buf out = {0};

	kp_syscall_print(&event, NULL, &out);
	cr_expect_str_eq(out.data, text);
	kp_buf_done(&out);
}

/* The header of the i386 table has each name at its number there, and replay emulates them. */
Test(syscalls, those_of_i386_are_the_same)
{
	char text[1 << 16] = "", line[96];
	FILE *file = fopen("/usr/include/x86_64-linux-gnu/asm/unistd_32.h", "re");
	int cnt = 0;

	cr_assert(file && fread(text, 1, sizeof(text) - 1, file));
	fclose(file);
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);
		bool is_there = false;

		if (!row || row->i386 == KP_NR_NA)
			continue;
		cnt++;
		cr_expect_eq(row->action, KP_ACT_EMULATE, "%s", row->name);
		cr_expect_eq(kp_syscall_from_i386((unsigned)row->i386), (int)nr, "%s", row->name);
		for (int k = 0; k < 3; k++) {
			static const char *const tails[] = {"", "32", "64"};

			snprintf(line, sizeof line, "#define __NR_%s%s %d\n", row->name, tails[k],
				 row->i386);
			is_there |= !!strstr(text, line);
		}
		cr_expect(is_there, "%s is not %d", row->name, row->i386);
	}
	cr_expect_eq(cnt, 70);
	cr_expect_eq(kp_syscall_from_i386(90), -ENOENT, "old mmap");
	cr_expect_eq(kp_syscall_from_i386(KP_SYSCALL_MAX), -ENOENT);
}

static bool has_arg(const struct kp_syscall *row, enum kp_arg_type type)
{
	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == type)
			return true;
	return false;
}

/* The traits that ask for others, for an argument or for a result. */
static void check_traits(const struct kp_syscall *row)
{
	const uint32_t waits = KP_TRAIT_WAITS_MANY | KP_TRAIT_WAITS_CHILD | KP_TRAIT_WAITS_FUTEX |
			       KP_TRAIT_SLEEPS | KP_TRAIT_WAITS;
	const uint32_t changes = KP_TRAIT_CHANGES | KP_TRAIT_TUNES;
	uint32_t traits = row->traits, kind = traits & waits;

	cr_expect(!(kind & (kind - 1)), "%s waits in two ways", row->name);
	if (traits & (KP_TRAIT_OPENS | KP_TRAIT_DUPS))
		cr_expect_eq(row->result, KP_RESULT_FD, "%s", row->name);
	if (traits & KP_TRAIT_FORKS)
		cr_expect_eq(row->result, KP_RESULT_PID, "%s", row->name);
	if (traits & (KP_TRAIT_DUPS | KP_TRAIT_KERNEL_COPIES))
		cr_expect(has_arg(row, KP_ARG_FD), "%s", row->name);
	if (traits & KP_TRAIT_FD_GONE)
		cr_expect(!(traits & KP_TRAIT_WAITS_OBJ), "%s: it has no object", row->name);
	else if (traits & KP_TRAIT_WAITS_OBJ)
		cr_expect(has_arg(row, KP_ARG_FD) || traits & KP_TRAIT_OPENS, "%s", row->name);
	if (traits & KP_TRAIT_KERNEL_COPIES)
		cr_expect_eq(row->result, KP_RESULT_BYTES, "%s", row->name);
	if (traits & KP_TRAIT_ASKS) {
		cr_expect_neq(row->result, KP_RESULT_FD, "%s", row->name);
		cr_expect(!(traits & ~(KP_TRAIT_ASKS | KP_TRAIT_LOADER | changes)), "%s",
			  row->name);
	}
	cr_expect((traits & changes) != changes, "%s: others see it or not", row->name);
	if (traits & KP_TRAIT_MEMORY)
		cr_expect_eq(row->action, KP_ACT_SPECIAL, "%s", row->name);
	cr_expect(row->result != KP_RESULT_NEVER || !traits, "%s", row->name);
}

/* What a result has to do with the arguments. */
static void check_result(const struct kp_syscall *row)
{
	cr_expect_neq(row->result, KP_RESULT_NONE, "%s", row->name);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *arg = &row->rule.args[i];

		if (arg->rule == KP_LEN_RET && row->result != KP_RESULT_VARIES)
			cr_expect_eq(row->result, arg->unit == 1 ? KP_RESULT_BYTES : KP_RESULT_NUM,
				     "%s", row->name);
		if (arg->rule == KP_LEN_IOV || arg->rule == KP_LEN_MSG)
			cr_expect_eq(row->result, KP_RESULT_BYTES, "%s", row->name);
		if (arg->rule == KP_LEN_COMMAND && row->traits & KP_TRAIT_ASKS)
			cr_expect_fail("%s changes by its commands", row->name);
	}
}

static bool is_one_of(unsigned nr, const uint16_t *list, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* A call that gives a descriptor opens a file, duplicates one, or makes what is named here. */
Test(syscalls, each_new_descriptor_is_of_a_known_kind)
{
	static const uint16_t makers[] = {
		KP_NR_socket,         KP_NR_accept,         KP_NR_accept4,
		KP_NR_eventfd,        KP_NR_eventfd2,       KP_NR_epoll_create,
		KP_NR_epoll_create1,  KP_NR_timerfd_create, KP_NR_signalfd,
		KP_NR_signalfd4,      KP_NR_memfd_create,   KP_NR_memfd_secret,
		KP_NR_inotify_init,   KP_NR_inotify_init1,  KP_NR_fanotify_init,
		KP_NR_pidfd_open,     KP_NR_pidfd_getfd,    KP_NR_mq_open,
		KP_NR_io_uring_setup, KP_NR_userfaultfd,    KP_NR_perf_event_open,
		KP_NR_open_tree,      KP_NR_open_tree_attr, KP_NR_landlock_create_ruleset,
		KP_NR_fsopen,         KP_NR_fsmount,        KP_NR_fspick,
	};

	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);
		bool old = kp_syscall_has(nr, KP_TRAIT_OPENS | KP_TRAIT_DUPS);

		if (row)
			cr_expect_eq(row->result == KP_RESULT_FD,
				     old || is_one_of(nr, makers, sizeof makers / sizeof *makers),
				     "%s", row->name);
		if (kp_syscall_has(nr, KP_TRAIT_OPENS) && nr != KP_NR_creat && nr != KP_NR_openat2)
			cr_expect_geq(kp_syscall_flags_arg(row, KP_FLAGS_open), 0, "%s", row->name);
	}
	cr_expect_eq(kp_syscall_flags_arg(kp_syscall_get(KP_NR_openat), KP_FLAGS_open), 2);
	cr_expect_eq(kp_syscall_arg(kp_syscall_get(KP_NR_dup3), KP_ARG_FD), 0);
	cr_expect_eq(kp_syscall_arg(kp_syscall_get(KP_NR_fork), KP_ARG_FD), -ENOENT);
	cr_expect_eq(kp_syscall_object(kp_syscall_get(KP_NR_openat)), KP_ARG_MAX);
	cr_expect_eq(kp_syscall_object(kp_syscall_get(KP_NR_splice)), 0);
	cr_expect_eq(kp_syscall_object(kp_syscall_get(KP_NR_close)), -ENOENT);
}

/* Of a call that only asks, or that loaders make, what it may set is behind one argument. */
Test(syscalls, what_asks_gives_nothing_but_names)
{
	static const uint16_t setters[] = {KP_NR_prlimit64, KP_NR_mq_getsetattr};

	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);
		int given = 0;

		if (!kp_syscall_has(nr, KP_TRAIT_ASKS | KP_TRAIT_LOADER))
			continue;
		for (int i = 0; i < KP_ARG_MAX; i++)
			given += row->rule.args[i].dir & 1 << KP_DIR_IN &&
				 row->rule.args[i].rule != KP_LEN_STR;
		cr_expect_eq(given, is_one_of(nr, setters, 2), "%s", row->name);
		if (kp_syscall_has(nr, KP_TRAIT_ASKS))
			cr_expect_eq(!!given, kp_syscall_has(nr, KP_TRAIT_CHANGES | KP_TRAIT_TUNES),
				     "%s", row->name);
	}
}

/* Every byte that leaves the process is part of a change; so is what syscalls with names make. */
Test(syscalls, what_is_given_away_changes_something)
{
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);
		bool gives = kp_syscall_has(nr, KP_TRAIT_KERNEL_COPIES);
		int names = 0;

		for (int i = 0; row && i < KP_ARG_MAX; i++) {
			gives |= kp_arg_is_output(&row->rule.args[i]);
			names += row->rule.args[i].rule == KP_LEN_STR;
		}
		if ((gives || names > 1) && row->action != KP_ACT_REFUSE)
			cr_expect(kp_syscall_has(nr, KP_TRAIT_CHANGES | KP_TRAIT_ASKS), "%s",
				  row->name);
	}
}

Test(syscalls, results_and_traits_are_consistent)
{
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);

		if (!row)
			continue;
		check_result(row);
		check_traits(row);
	}
	cr_expect(kp_syscall_has(KP_NR_read, KP_TRAIT_RECEIVES));
	cr_expect(!kp_syscall_has(KP_NR_read, KP_TRAIT_SENDS));
	cr_expect(!kp_syscall_has(400, ~0u), "no row, no traits");
	cr_expect(!kp_syscall_has(KP_NR_I386 + 3, ~0u));
}

Test(syscalls, print_like_strace)
{
	expect_print(
		(struct kp_ev_syscall){
			.nr = SYS_read, .arg0 = 3, .arg1 = 0x7ffe0000, .arg2 = 4096, .ret = 832},
		"read(fd 3, buf 0x7ffe0000, count 4096) = 832");
	expect_print(
		(struct kp_ev_syscall){
			.nr = SYS_openat, .arg0 = 0xffffff9c, .arg1 = 0x1000, .ret = -ENOENT},
		"openat(dirfd AT_FDCWD, path 0x1000, flags O_RDONLY, mode 0) = -2 ENOENT");
	expect_print((struct kp_ev_syscall){.nr = SYS_kill, .arg0 = 0xffffffff, .arg1 = 14},
		     "kill(pid -1, sig SIGALRM) = 0");
	expect_print((struct kp_ev_syscall){.nr = SYS_brk, .ret = 0x555555559000},
		     "brk(addr NULL) = 0x555555559000");
	expect_print((struct kp_ev_syscall){.nr = KP_NR_map_shadow_stack, .ret = 0x7f0000},
		     "map_shadow_stack(addr NULL, size 0, flags 0x0) = 0x7f0000");
	expect_print((struct kp_ev_syscall){.nr = SYS_lseek, .arg1 = 3ull << 30, .ret = 3ll << 30},
		     "lseek(fd 0, offset 3221225472, whence SEEK_SET) = 0xc0000000");
	expect_print((struct kp_ev_syscall){.nr = SYS_lseek,
					    .arg1 = 0xfffffff6,
					    .arg2 = 2,
					    .ret = 7,
					    .flags = KP_SYSF_I386},
		     "lseek(fd 0, offset -10, whence SEEK_END) = 7");
	expect_print((struct kp_ev_syscall){.nr = SYS_pause, .ret = -514},
		     "pause() = -514 ERESTARTNOHAND");
	expect_print((struct kp_ev_syscall){.nr = 400, .ret = -ENOSYS},
		     "syscall_400() = -38 ENOSYS");
}

static void expect_args(unsigned nr, const uint64_t args[KP_ARG_MAX], const char *text)
{
	struct kp_buf out = {0};

	kp_syscall_print_args(nr, args, NULL, &out);
	cr_expect_str_eq(out.data, text, "%s", out.data);
	kp_buf_done(&out);
}

Test(syscalls, flags_print_by_name)
{
	static const struct {
		unsigned nr;
		uint64_t args[KP_ARG_MAX];
		const char *text;
	} rows[] = {
		{SYS_open,
		 {0x1000, 01101, 0644},
		 "open(path 0x1000, flags O_WRONLY|O_CREAT|O_TRUNC, mode 0644)"},
		{SYS_open, {0, 020200002, 0}, "open(path NULL, flags O_RDWR|O_TMPFILE, mode 0)"},
		{SYS_open, {0, 3, 0}, "open(path NULL, flags 0x3, mode 0)"},
		{SYS_mmap,
		 {0, 4096, 3, 0x22, 0xffffffff, 0},
		 "mmap(addr NULL, length 4096, prot PROT_READ|PROT_WRITE, flags "
		 "MAP_PRIVATE|MAP_ANONYMOUS, fd -1, offset 0x0)"},
		{SYS_mprotect, {0, 1, 0}, "mprotect(addr NULL, len 1, prot PROT_NONE)"},
		{SYS_madvise, {0, 1, 4}, "madvise(addr NULL, length 1, advice MADV_DONTNEED)"},
		{SYS_madvise, {0, 1, 77}, "madvise(addr NULL, length 1, advice 0x4d)"},
		{SYS_unlinkat,
		 {0xffffff9c, 0, 0x200},
		 "unlinkat(dirfd AT_FDCWD, path NULL, flags AT_REMOVEDIR)"},
		{SYS_access, {0, 0}, "access(path NULL, mode F_OK)"},
		{SYS_socket,
		 {2, 02004001, 6},
		 "socket(domain AF_INET, type SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, protocol 6)"},
		{SYS_lseek, {3, 0xfffffffffffffff6, 2}, "lseek(fd 3, offset -10, whence SEEK_END)"},
		{SYS_ioctl, {1, 0x5413, 0}, "ioctl(fd 1, request TIOCGWINSZ, argp NULL)"},
		{SYS_ioctl, {1, 0x80086601, 0}, "ioctl(fd 1, request FS_IOC_GETFLAGS, argp NULL)"},
		{SYS_ioctl, {1, 0x12345, 0}, "ioctl(fd 1, request 0x12345, argp NULL)"},
		{SYS_fcntl, {3, 3, 0}, "fcntl(fd 3, cmd F_GETFL, arg NULL)"},
		{SYS_fcntl, {3, 6, 0}, "fcntl(fd 3, cmd F_SETLK, arg NULL)"},
		{SYS_futex,
		 {0, 128, 2},
		 "futex(uaddr NULL, op FUTEX_WAIT|FUTEX_PRIVATE_FLAG, val 2, timeout NULL, uaddr2 "
		 "NULL, val3 0)"},
		{SYS_futex,
		 {0, 133, 2},
		 "futex(uaddr NULL, op FUTEX_WAKE_OP|FUTEX_PRIVATE_FLAG, val 2, timeout NULL, "
		 "uaddr2 NULL, val3 0)"},
		{SYS_getrusage, {0xffffffffffffffff}, "getrusage(who RUSAGE_CHILDREN, usage NULL)"},
		{SYS_unshare, {0x60000000}, "unshare(flags CLONE_NEWPID|CLONE_NEWNET)"},
		{SYS_dup3, {1, 2, 1ull << 40}, "dup3(oldfd 1, newfd 2, flags 0x10000000000)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		expect_args(rows[i].nr, rows[i].args, rows[i].text);
}

Test(syscalls, names_of_errors_and_signals)
{
	cr_expect_str_eq(kp_errno_name(ENOENT), "ENOENT");
	cr_expect_null(kp_errno_name(0));
	cr_expect_null(kp_errno_name(4000));
	cr_expect_str_eq(kp_signal_name(11), "SIGSEGV");
	cr_expect_str_eq(kp_signal_name(31), "SIGSYS");
	cr_expect_null(kp_signal_name(64));
	cr_expect_null(kp_signal_name(-1));
}

static struct kp_command_rule command(unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	uint64_t args[6] = {a0, a1, a2, 10};
	struct kp_command_rule rule = {0};
	const char *name;

	kp_command_find(nr, args, 7, &rule, &name);
	return rule;
}

static void expect_len(struct kp_command_rule arg, int dir, unsigned len)
{
	cr_expect_eq(arg.dir, 1 << dir);
	cr_expect_eq(arg.len, len);
}

Test(syscalls, commands_say_their_buffers)
{
	expect_len(command(SYS_ioctl, 0, 0x5413, 0), KP_DIR_OUT, 8);     /* TIOCGWINSZ */
	expect_len(command(SYS_ioctl, 0, 0x80045430, 0), KP_DIR_OUT, 4); /* TIOCGPTN */
	cr_expect(!command(SYS_ioctl, 0, 0x40049409, 0).dir);            /* FICLONE */
	cr_expect(!command(SYS_ioctl, 0, 0x5451, 0).dir);                /* FIOCLEX */
	expect_len(command(SYS_fcntl, 3, 5, 0), KP_DIR_OUT, 32);         /* F_GETLK */
	cr_expect(!command(SYS_fcntl, 3, 3, 0).dir);
	expect_len(command(SYS_prctl, 16, 0, 0), KP_DIR_OUT, 16); /* PR_GET_NAME */
	cr_expect(command(SYS_prctl, 35, 0, 0).refuse);           /* PR_SET_MM */
	cr_expect(command(SYS_semctl, 0, 0, 13).refuse);          /* GETALL */
	cr_expect(!command(SYS_semctl, 0, 0, 16).dir);            /* SETVAL */
	expect_len(command(SYS_futex, 0, 128 | 5, 0), KP_DIR_OUT, 4);
	cr_expect(!command(SYS_futex, 0, 1, 0).dir);
	expect_len(command(SYS_keyctl, 6, 0, 0), KP_DIR_OUT, 7); /* KEYCTL_DESCRIBE */
	cr_expect(!command(SYS_keyctl, 0, 0, 0).dir);
	cr_expect(!command(SYS_getpid, 0, 0, 0).dir);
}
