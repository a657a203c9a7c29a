/* SPDX-License-Identifier: MIT
 * The executable of another build; see exe.h.
 */
#include "replay/exe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay/filter.h"

/* Below the stack's end and its red zone, within the page that a new stack has. */
#define SCRATCH_LEN 2048

static int check(const char *path, struct kp_exe *exe, struct kp_err *err)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	struct stat st;

	if (fstat(exe->fd, &st) < 0)
		return kp_err_sys(err, -errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return kp_err_set(err, -EACCES, "'%s' is not an executable file", path);
	if (pread(exe->fd, &header, sizeof header, 0) != sizeof header ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
	    header.e_phentsize != sizeof segment)
		return kp_err_set(
			err, -ENOEXEC,
			"'%s' is not an x86-64 ELF executable; name the program itself, not a "
			"script that runs it",
			path);
	for (unsigned i = 0; i < header.e_phnum; i++)
		if (pread(exe->fd, &segment, sizeof segment,
			  (off_t)(header.e_phoff + i * sizeof segment)) == sizeof segment &&
		    segment.p_type == PT_INTERP)
			exe->dynamic = true;
	return 0;
}

int kp_exe_open(const char *path, struct kp_exe *exe, struct kp_err *err)
{
	int rc;

	exe->dynamic = false;
	exe->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (exe->fd < 0)
		return kp_err_sys(err, -errno, "cannot open '%s'", path);
	rc = check(path, exe, err);
	if (rc < 0) {
		close(exe->fd);
		exe->fd = -1;
	}
	return rc;
}

/* Before the program's entry: ld.so(8), and the names that glibc's tunables had. What is obeyed
 * later leads to calls that the log answers. */
static bool obeyed_at_start(const char *variable)
{
	static const char *const prefixes[] = {"LD_", "GLIBC_TUNABLES=", "GCONV_PATH=", "MALLOC_"};

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

void kp_exe_clean_environment(struct kp_startup *startup, char *ret_names, size_t cap)
{
	char **to = startup->envp;
	size_t len = 0;

	ret_names[0] = '\0';
	for (char **from = startup->envp; *from; from++) {
		if (!obeyed_at_start(*from)) {
			*to++ = *from;
			continue;
		}
		if (len < cap)
			len += (size_t)snprintf(ret_names + len, cap - len, "%s%.*s",
						len ? ", " : "", (int)strcspn(*from, "="), *from);
	}
	*to = NULL;
}

int kp_exe_lock_up(struct kp_tracee *tracee, struct kp_err *err)
{
	static const unsigned char code[] = {0x0f, 0x05}; /* syscall */
	uint64_t at = tracee->regs.rip, scratch = (tracee->regs.rsp - SCRATCH_LEN) & ~15ull;
	unsigned char saved[sizeof code];
	struct kp_filter filter;
	struct sock_fprog program;
	uint64_t args[6] = {SECCOMP_SET_MODE_FILTER, 0, scratch};
	int64_t value = -EFAULT;
	int rc = -EFAULT;

	kp_filter_build(KP_FILTER_BUILD, &filter);
	memset(&program, 0, sizeof program);
	program.len = filter.len;
	/* An address of the process. */
	program.filter = (struct sock_filter *)(uintptr_t)(scratch + sizeof program);
	if (sizeof program + filter.len * sizeof *filter.code <= SCRATCH_LEN - 128 &&
	    kp_tracee_read(tracee, at, saved, sizeof saved) == sizeof saved &&
	    kp_tracee_write(tracee, scratch, &program, sizeof program) == 0 &&
	    kp_tracee_write(tracee, scratch + sizeof program, filter.code,
			    filter.len * sizeof *filter.code) == 0)
		rc = kp_tracee_poke(tracee, at, code, sizeof code);
	if (rc < 0)
		return kp_err_set(err, rc, "the new program's memory is not as expected");
	tracee->stub = at;
	rc = kp_tracee_inject(tracee, SYS_seccomp, args, &value, err);
	tracee->stub = 0;
	if (rc == 0 && value)
		rc = kp_err_sys(err, (int)value, "cannot lock up the new program");
	if (rc == 0 && kp_tracee_poke(tracee, at, saved, sizeof saved) < 0)
		rc = kp_err_set(err, -EFAULT, "cannot put the new program's first bytes back");
	return rc;
}
