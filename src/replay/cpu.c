/* SPDX-License-Identifier: MIT
 *
 * Another model of CPU. The dynamic loader and the C library ask CPUID and XGETBV while they start,
 * choose functions by the answers and, with them, paths of libraries. When the log comes from
 * another CPU, the process is stepped through its start and given the recorded answers. What asks
 * later gets this CPU's: it must have the features that the recorded one had.
 */
#include <string.h>
#include <sys/ptrace.h>

#include "base/cpuid.h"
#include "replay/engine.h"

/* The loader takes some 30,000 instructions to its first call that is not for memory. What takes
 * more than this is left to the watchdog, which cannot see a process that is stepped. */
#define STEP_MAX 300000u

static const unsigned char cpuid_code[] = {0x0f, 0xa2};
static const unsigned char xgetbv_code[] = {0x0f, 0x01, 0xd0};

static const struct kp_cpuid *recorded_table(const struct kp_engine *engine, size_t *ret_cnt)
{
	const struct kp_ev_cpu_model *cpu = engine->session->cpu;

	*ret_cnt = cpu ? cpu->data_len / sizeof(struct kp_cpuid) : 0;
	return cpu ? (const struct kp_cpuid *)KP_TAIL(cpu) : NULL;
}

bool kp_engine_is_other_cpu(const struct kp_engine *engine)
{
	struct kp_cpuid own[KP_CPUID_MAX];
	const struct kp_cpuid *table;
	size_t cnt;

	table = recorded_table(engine, &cnt);
	if (!cnt)
		return false;
	return engine->session->cpu->xcr0 != kp_cpuid_xcr0() ||
	       !kp_cpuid_same(table, cnt, own, kp_cpuid_read(own));
}

void kp_engine_cpu_name(const struct kp_engine *engine, char ret_name[49])
{
	size_t cnt;
	const struct kp_cpuid *table = recorded_table(engine, &cnt);

	kp_cpuid_name(table, cnt, ret_name);
}

/* Executes the instruction at which the process stands in its place if it asks the CPU. */
static bool answer(struct kp_engine *engine)
{
	struct user_regs_struct *regs = &engine->tracee.regs;
	unsigned char code[sizeof(xgetbv_code)] = {0};
	const struct kp_cpuid *table;
	struct kp_cpuid c;
	size_t cnt;

	kp_tracee_read(&engine->tracee, regs->rip, code, sizeof(code));
	if (!memcmp(code, cpuid_code, sizeof(cpuid_code))) {
		table = recorded_table(engine, &cnt);
		c = kp_cpuid_ask(table, cnt, (uint32_t)regs->rax, (uint32_t)regs->rcx);
		regs->rax = c.eax;
		regs->rbx = c.ebx;
		regs->rcx = c.ecx;
		regs->rdx = c.edx;
		regs->rip += sizeof(cpuid_code);
	} else if (!memcmp(code, xgetbv_code, sizeof(xgetbv_code)) && !(uint32_t)regs->rcx) {
		regs->rax = (uint32_t)engine->session->cpu->xcr0;
		regs->rdx = engine->session->cpu->xcr0 >> 32;
		regs->rip += sizeof(xgetbv_code);
	} else {
		return false;
	}
	engine->tracee.dirty = true;
	return true;
}

/* The calls between which loader and C library ask the CPU, or have not asked yet. */
static bool is_starting(uint64_t nr)
{
	return nr == KP_NR_brk || nr == KP_NR_mmap || nr == KP_NR_arch_prctl;
}

int kp_engine_run_start(struct kp_engine *engine, struct kp_stop *ret_stop)
{
	int rc;

	for (unsigned step = 0; step < STEP_MAX; step++) {
		if (answer(engine))
			continue;
		rc = kp_tracee_run(&engine->tracee, PTRACE_SYSEMU_SINGLESTEP, 0,
				   kp_engine_budget(engine), ret_stop, engine->err);
		if (rc == 0 && ret_stop->kind == KP_STOP_TRAP)
			continue;
		engine->starting = rc == 0 && ret_stop->kind == KP_STOP_SYSCALL &&
				   is_starting(engine->tracee.regs.orig_rax);
		return rc;
	}
	engine->starting = false;
	return kp_tracee_run(&engine->tracee, PTRACE_SYSEMU, 0, kp_engine_budget(engine), ret_stop,
			     engine->err);
}
