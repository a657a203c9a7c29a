/* SPDX-License-Identifier: MIT
 * Records what a child does and gives the events: shared by the tests that need probes.
 */
#ifndef KP_TEST_PROBES_RUN_H
#define KP_TEST_PROBES_RUN_H

#include <bpf/btf.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "event/event.h"
#include "event/names.h"
#include "log/reader.h"
#include "record/recorder.h"

/* What children tell the test: memory that both see. */
struct told {
	uint32_t tids[4];
	uint64_t times[4];
	uint64_t inos[4];
	uint16_t ports[4];
	uint64_t addr;
	int go; /* set once the recorder is at work */
};

struct run {
	char dir[64];
	struct told *told;
	pid_t child;
	struct kp_recorder_result result;
	struct kp_log_reader *reader;
	struct kp_names names; /* as far as it was read */
};

static inline uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static inline void need_probes(void)
{
	if (geteuid() != 0 || access("/sys/kernel/btf/vmlinux", R_OK))
		cr_skip_test("needs root and a kernel with BTF");
}

/* Whether the kernel has a type of this name. */
static inline bool has_type(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool is_there = btf && btf__find_by_name(btf, name) >= 0;

	btf__free(btf);
	return is_there;
}

/* Starts the child, which begins only when the recorder has been at work for a moment. */
static inline void run_child(struct run *run, void (*fn)(struct told *told))
{
	strcpy(run->dir, "/tmp/kprobe-record-XXXXXX");
	cr_assert(mkdtemp(run->dir));
	run->told = mmap(NULL, sizeof(*run->told), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(run->told, MAP_FAILED);
	run->child = fork();
	cr_assert_geq(run->child, 0);
	if (run->child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
	while (!__atomic_load_n(&run->told->go, __ATOMIC_ACQUIRE))
		sleep_ms(10);
	run->told->tids[0] = (uint32_t)getpid();
	fn(run->told);
	_exit(0);
}

/* Ends the recording when the child has ended. */
static inline void on_second_end(const struct kp_totals *totals, void *arg)
{
	struct run *run = arg;
	int status;

	(void)totals;
	__atomic_store_n(&run->told->go, 1, __ATOMIC_RELEASE);
	if (waitpid(run->child, &status, WNOHANG) == run->child) {
		cr_expect(WIFEXITED(status) && !WEXITSTATUS(status), "the child failed: %x",
			  status);
		raise(SIGTERM);
	}
}

/* Records while fn runs in a child; options may have fields set already. */
static inline void record_child(struct run *run, void (*fn)(struct told *told),
				struct kp_recorder_options options)
{
	struct kp_err err = {""};

	run_child(run, fn);
	options.dir = run->dir;
	options.groups = options.groups ? options.groups : KP_GROUPS_ALL;
	options.ring_len = options.ring_len ? options.ring_len : 4u << 20;
	options.on_second = on_second_end;
	options.arg = run;
	if (options.pid_cnt)
		options.pids = &run->child;
	cr_assert_eq(kp_recorder_run(&options, &run->result, &err), 0, "%s", err.text);
	cr_assert_eq(kp_log_open(run->dir, NULL, &run->reader, &err), 0, "%s", err.text);
}

static inline void done(struct run *run)
{
	char command[128];

	kp_log_reader_free(run->reader);
	kp_names_done(&run->names);
	snprintf(command, sizeof(command), "rm -rf %s", run->dir);
	cr_assert_eq(system(command), 0);
	munmap(run->told, sizeof(*run->told));
}

/* The next event of this kind from the reader's place on; NULL: none. */
static inline const void *next_of(struct run *run, unsigned kind)
{
	const struct kp_hdr *event;
	struct kp_err err = {""};
	int r;

	while ((r = kp_log_next(run->reader, &event, &err)) > 0) {
		cr_assert_eq(kp_names_add(&run->names, event), 0);
		if (event->kind == kind)
			return event;
	}
	cr_assert_eq(r, 0, "%s", err.text);
	return NULL;
}

/* The socket that the event names, as told before it. */
static inline const struct kp_ev_socket *sock_of(const struct run *run, const void *event)
{
	const struct kp_ev_socket *sock = kp_names_sock(&run->names, event);

	cr_assert(sock, "the socket %lu is not told", (unsigned long)kp_event_sock(event));
	return sock;
}

static inline uint32_t v4_of(const kp_addr addr)
{
	uint32_t v4;

	memcpy(&v4, addr + 12, sizeof(v4));
	return v4;
}

static inline void rewind_run(struct run *run)
{
	cr_assert_eq(kp_log_rewind(run->reader, NULL), 0);
}

#endif
