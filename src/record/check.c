/* SPDX-License-Identifier: MIT
 * The checks behind `record --check`; see check.h.
 */
#include "record/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kprobe/event.h"
#include "record/probes.h"
#include "record/process.h"

#define OLDEST_MAJOR 5
#define OLDEST_MINOR 15
#define CHECK_RING_LEN 65536
/* With these and a selection each probe is loaded in its most demanding form. */
#define CHECK_GROUPS (((1u << KP_GROUP_CNT) - 1) & ~(1u << KP_GROUP_syscall))

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

/* include/uapi/linux/capability.h; CAP_SYS_ADMIN includes the first two. */
static const struct {
	const char *name;
	int bit;
	const char *remedy;
} capabilities[] = {
	{"capability BPF", 39,
	 "run as root, or grant CAP_BPF: without it no program can be loaded"},
	{"capability PERFMON", 38,
	 "run as root, or grant CAP_PERFMON: without it programs cannot read the kernel's data"},
	{"capability SYS_PTRACE", 19,
	 "grant CAP_SYS_PTRACE: without it other users' descriptors stay without a name and "
	 "COMMAND is not held at exec"},
	{"capability DAC_READ_SEARCH", 2,
	 "grant CAP_DAC_READ_SEARCH: without it other users' /proc entries and files are not read"},
};
#define CAP_SYS_ADMIN 21

static uint64_t effective_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	uint64_t bits = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &bits) == 1)
			break;
	if (file)
		fclose(file);
	return bits;
}

static void check_capabilities(struct check *check)
{
	uint64_t bits = effective_capabilities();

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		bool is_bpf = capabilities[i].bit >= 38;
		bool has = bits >> capabilities[i].bit & 1 || (is_bpf && bits >> CAP_SYS_ADMIN & 1);

		tell(check, capabilities[i].name,
		     has      ? KP_CHECK_OK
		     : is_bpf ? KP_CHECK_FAILED
			      : KP_CHECK_MISSING,
		     capabilities[i].remedy);
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
	check_probes(&check);
	return !check.failed;
}
