/* SPDX-License-Identifier: MIT
 * The checks behind `record --check`; see check.h.
 */
#include "record/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kprobe/event.h"
#include "record/confine.h"
#include "record/probes.h"
#include "record/process.h"

#define OLDEST_MAJOR 5
#define OLDEST_MINOR 15
#define CHECK_RING_LEN 65536
#define UNKNOWN_COMMAND 9999 /* of bpf(2) */
/* With these and a selection each probe is loaded in its most demanding form. */
#define CHECK_GROUPS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))

struct check {
	kp_check_fn fn;
	void *arg;
	bool failed;
};

static void tell(struct check *check, const char *what, enum kp_check_state state,
		 const char *remedy)
{
	check->failed |= state == KP_CHECK_FAILED;
	check->fn(what, state, state == KP_CHECK_OK ? "" : remedy, check->arg);
}

/* CAP_SYS_ADMIN includes the first two. */
static const struct {
	const char *name;
	unsigned bit;
	bool is_needed;
	const char *remedy;
} capabilities[] = {
	{"capability BPF", CAP_BPF, true,
	 "run as root, or grant CAP_BPF: without it no program can be loaded"},
	{"capability PERFMON", CAP_PERFMON, true,
	 "run as root, or grant CAP_PERFMON: without it programs cannot read the kernel's data"},
	{"capability SYS_PTRACE", CAP_SYS_PTRACE, false,
	 "grant CAP_SYS_PTRACE: without it other users' descriptors stay without a name and "
	 "COMMAND is not held at exec"},
	{"capability DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false,
	 "grant CAP_DAC_READ_SEARCH: without it other users' /proc entries and files are not read"},
};

static void check_capabilities(struct check *check)
{
	uint64_t have = kp_confine_capabilities();

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		bool has = have >> capabilities[i].bit & 1 ||
			   (capabilities[i].is_needed && have >> CAP_SYS_ADMIN & 1);

		tell(check, capabilities[i].name,
		     has                         ? KP_CHECK_OK
		     : capabilities[i].is_needed ? KP_CHECK_FAILED
						 : KP_CHECK_MISSING,
		     capabilities[i].remedy);
	}
}

/* --- calls that a container's filter may refuse --- */

static bool is_refused(long result)
{
	return result < 0 && (errno == EPERM || errno == ENOSYS);
}

/* Each is tried with arguments that do nothing. */
static bool bpf_refused(void)
{
	return is_refused(syscall(SYS_bpf, UNKNOWN_COMMAND, NULL, 0));
}

static bool ptrace_refused(void)
{
	return is_refused(ptrace(PTRACE_DETACH, 0, NULL, NULL));
}

static bool seccomp_refused(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return is_refused(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

static bool clock_refused(void)
{
	struct timex reading = {.modes = 0};

	return is_refused(clock_adjtime(CLOCK_REALTIME, &reading));
}

static bool pidfd_refused(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd >= 0)
		close(fd);
	return is_refused(fd);
}

static bool openat2_refused(void)
{
	struct open_how how = {.flags = O_PATH};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd >= 0)
		close(fd);
	return is_refused(fd);
}

static const struct {
	const char *name;
	bool (*is_refused)(void);
	bool is_needed; /* without CAP_BPF it is refused anyway */
	const char *without;
} calls[] = {
	{"bpf", bpf_refused, true, "no program can be loaded"},
	{"ptrace", ptrace_refused, false, "COMMAND is not held at exec"},
	{"seccomp", seccomp_refused, false,
	 "COMMAND cannot be recorded for replay, and the recorder has no filter of its own"},
	{"clock_adjtime", clock_refused, false,
	 "the clock's error is not known, nor how far times of other machines are to be trusted"},
	{"pidfd_open", pidfd_refused, false, "some of COMMAND is found more slowly"},
	{"openat2", openat2_refused, false,
	 "symbolic links on the way to the log's folder are followed"},
};

/* Of a process that runs under somebody's filter, as in most containers. */
static void check_calls(struct check *check)
{
	uint64_t have = kp_confine_capabilities();
	char what[64], remedy[256];
	bool refused;

	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].is_needed && !(have >> CAP_BPF & 1))
			continue;
		refused = calls[i].is_refused();
		snprintf(what, sizeof(what), "seccomp profile: %s", calls[i].name);
		snprintf(remedy, sizeof(remedy),
			 "the profile of the container forbids it: %s; allow the call in the "
			 "profile "
			 "(docker: --security-opt seccomp=FILE)",
			 calls[i].without);
		tell(check, what,
		     !refused             ? KP_CHECK_OK
		     : calls[i].is_needed ? KP_CHECK_FAILED
					  : KP_CHECK_MISSING,
		     remedy);
	}
}

static void check_kernel(struct check *check)
{
	struct utsname name;
	int major = 0, minor = 0;
	char what[128];

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	snprintf(what, sizeof(what), "kernel %.64s", name.release);
	tell(check, what,
	     major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR)
		     ? KP_CHECK_OK
		     : KP_CHECK_FAILED,
	     "kprobe needs Linux 5.15 or newer");
	tell(check, "kernel type information (BTF)",
	     access("/sys/kernel/btf/vmlinux", R_OK) ? KP_CHECK_FAILED : KP_CHECK_OK,
	     "the kernel must be built with CONFIG_DEBUG_INFO_BTF=y, and /sys be mounted");
}

static void check_lockdown(struct check *check)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	tell(check, "kernel lockdown",
	     strstr(line, "[confidentiality]") ? KP_CHECK_FAILED : KP_CHECK_OK,
	     "lockdown=confidentiality forbids programs to read memory; boot with "
	     "lockdown=integrity or none");
}

static void tell_probe(const char *tracepoint, enum kp_probe_state state, void *arg)
{
	char what[96];

	snprintf(what, sizeof(what), "tracepoint %s", tracepoint);
	if (state != KP_PROBE_UNWANTED)
		tell(arg, what, state == KP_PROBE_ON ? KP_CHECK_OK : KP_CHECK_MISSING,
		     "this kernel has no such tracepoint (another version, or built as a module "
		     "that "
		     "is not loaded); its events are not recorded");
}

/* Some distributions' kernels ask for more than the capabilities that were made for it. */
static void check_admin(struct check *check, int error)
{
	const uint64_t made_for_it = 1ull << CAP_BPF | 1ull << CAP_PERFMON;
	uint64_t have = kp_confine_capabilities();

	if (error == -EPERM && (have & made_for_it) == made_for_it && !(have >> CAP_SYS_ADMIN & 1))
		tell(check, "capability SYS_ADMIN", KP_CHECK_FAILED,
		     "BPF and PERFMON are there, and this kernel refuses the programs all the "
		     "same: "
		     "grant CAP_SYS_ADMIN, which such kernels want");
}

static void check_probes(struct check *check)
{
	struct kp_probes_options options = {.groups = CHECK_GROUPS,
					    .select = true,
					    .ring_len = CHECK_RING_LEN,
					    .memory = kp_memory_share(0, true),
					    .pins_fd = -1};
	struct kp_probes *probes = NULL;
	struct kp_err err = {""};
	int r = kp_probes_load(&options, &probes, &err);

	tell(check, "loading the programs", r < 0 ? KP_CHECK_FAILED : KP_CHECK_OK, err.text);
	check_admin(check, r);
	if (r < 0)
		return;
	r = kp_probes_attach(probes, &err);
	tell(check, "attaching the programs", r < 0 ? KP_CHECK_FAILED : KP_CHECK_OK, err.text);
	kp_probes_each(probes, tell_probe, check);
	kp_probes_free(probes);
}

bool kp_check_run(kp_check_fn fn, void *arg)
{
	struct check check = {fn, arg, false};

	kp_process_raise_files(); /* as a recorder does */
	check_kernel(&check);
	check_capabilities(&check);
	check_lockdown(&check);
	check_calls(&check);
	check_probes(&check);
	return !check.failed;
}
