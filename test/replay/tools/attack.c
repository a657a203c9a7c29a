/* SPDX-License-Identifier: MIT
 *
 * Writes a log as a stranger would who wants a file on the machine of whoever replays it, by the
 * project's own writer.
 *
 * usage: attack NAME LOG PATH     PATH: the file to be made, or for `delete` and `chmod` changed
 *        attack --list
 *
 * The program in the log makes calls that the log then claims to be harmless ones, or claims to
 * have been interrupted just before them.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "../synth.h"
#include "kprobe/log_format.h"
#include "log/writer.h"

/* Text for the assembler: machine code between two labels. */
#define CODE(name, text)                                                                  \
	extern const unsigned char name##_code[], name##_code_end[];                      \
	__asm__(".pushsection .rodata\n" #name "_code:\n" text "\n" #name "_code_end:\n." \
		"popsection")

#define PATH_TO(reg) "mov $0x401000, %" reg "\n"
/* open(PATH, O_WRONLY | O_CREAT | O_TRUNC, 0666), its registers but rax */
#define OPEN_ARGS PATH_TO("edi") "mov $0x241, %esi\nmov $0x1b6, %edx\n"
#define END "1: ud2\n"

CODE(signal, OPEN_ARGS "mov $2, %eax\nsyscall\n" END);
CODE(make, "mov $8, %eax\n" PATH_TO("ebx") "mov $0x1b6, %ecx\nint $0x80\n" END);
CODE(delete, "mov $10, %eax\n" PATH_TO("ebx") "int $0x80\n" END);
CODE(chmod, "mov $15, %eax\n" PATH_TO("ebx") "mov $0x1ff, %ecx\nint $0x80\n" END);
CODE(mknod, "mov $14, %eax\n" PATH_TO("ebx") "mov $0x81b6, %ecx\nxor %edx, %edx\nint $0x80\n" END);
CODE(exec, "mov $11, %eax\n" PATH_TO("ebx") "xor %ecx, %ecx\nxor %edx, %edx\nint $0x80\n" END);
CODE(fork, "mov $57, %eax\nsyscall\n" OPEN_ARGS "mov $2, %eax\nsyscall\n" END);
CODE(x32, OPEN_ARGS "mov $0x40000002, %eax\nsyscall\n" END);
/* In a 32-bit segment the instructions mean the other ABI. */
CODE(compat, "mov $10, %eax\n" PATH_TO("ebx") "mov $0x401800, %edx\n"
					      "movl $(0x400000 + 2f - compat_code), (%rdx)\nmovw "
					      "$0x23, 4(%rdx)\nljmpl *(%rdx)\n"
					      "2: int $0x80\n" END);
CODE(vsyscall, "mov $0xffffffffff600400, %rax\nxor %edi, %edi\ncall *%rax\n"
	       "mov %eax, 0x401800\nmov $231, %eax\nxor %edi, %edi\nsyscall\n" END);
CODE(sysenter, "mov $10, %eax\n" PATH_TO("ebx") "mov $0x401800, %ebp\nsysenter\n" END);

/* The process is said to take a signal with a handler that it never installed. */
static void claim_signal(struct synth *s, uint64_t ip, int sig, uint64_t ax, uint64_t orig_ax)
{
	struct kp_pt_regs regs = {.ip = ip,
				  .sp = SYNTH_STACK_END - 256,
				  .ax = ax,
				  .di = SYNTH_DATA,
				  .si = 0x241,
				  .dx = 0x1b6,
				  .flags = 0x202,
				  .orig_ax = orig_ax};
	struct kp_ev_signal_deliver deliver = {
		.handler = SYNTH_CODE, .sig = sig, .seq = s->seq, .data_len = sizeof regs + 48};
	unsigned char data[sizeof regs + 48] = {0};

	memcpy(data, &regs, sizeof regs);
	memcpy(data + sizeof regs, &sig, sizeof sig);
	SYNTH_PUT(s, signal_deliver, &deliver, data, sizeof data);
}

/* Behind mov edi, mov esi, mov edx, mov eax: the syscall instruction. */
static void claim_ignored_signal(struct synth *s)
{
	claim_signal(s, SYNTH_CODE + 20, SIGURG, 2, UINT64_MAX);
}

static void claim_continue(struct synth *s)
{
	claim_signal(s, SYNTH_CODE + 20, SIGCONT, 2, UINT64_MAX);
}

static void claim_munmap(struct synth *s)
{
	synth_call(s, SYS_munmap, 0, 0, 0, 0);
}

static void claim_mprotect(struct synth *s)
{
	synth_call(s, SYS_mprotect, 0, 0, 0, 0);
}

static void claim_sigreturn(struct synth *s)
{
	synth_call(s, SYS_rt_sigreturn, 0, 0, 0, 0);
}

static void claim_sigprocmask(struct synth *s)
{
	synth_call(s, SYS_rt_sigprocmask, 0, 0, 0, 0);
}

static void claim_creat(struct synth *s)
{
	synth_call(s, SYS_lseek, 3, 0, 0, 0);
}

static void claim_fork(struct synth *s)
{
	synth_call(s, SYS_fork, SYNTH_PID + 1, 0, 0, 0);
	synth_exit(s, 0);
}

static void claim_open(struct synth *s)
{
	synth_payload(s, SYS_open, 0, KP_DIR_IN, SYNTH_DATA, "x", 2);
	synth_call(s, SYS_open, 3, SYNTH_DATA, 0x241, 0666);
}

static void claim_end(struct synth *s)
{
	synth_exit(s, 0);
}

static const struct attack {
	const char *name;
	const unsigned char *code, *code_end;
	void (*claim)(struct synth *s);
} attacks[] = {
#define ATTACK(name, claim)                                \
	{                                                  \
#name, name##_code, name##_code_end, claim \
	}
	ATTACK(signal, claim_ignored_signal),
	{"continue", signal_code, signal_code_end, claim_continue},
	ATTACK(make, claim_creat),
	ATTACK(delete, claim_mprotect),
	ATTACK(chmod, claim_sigreturn),
	ATTACK(mknod, claim_sigprocmask),
	ATTACK(exec, claim_munmap),
	ATTACK(fork, claim_fork),
	ATTACK(x32, claim_open),
	ATTACK(compat, claim_mprotect),
	ATTACK(sysenter, claim_mprotect),
	ATTACK(vsyscall, claim_end),
};

/* Keeps what synth_put makes: the log instead of a session. */
static void to_log(struct synth *s, const struct kp_hdr *event)
{
	static const uint64_t lost[KP_GROUP_CNT];

	if (!s->err.text[0])
		kp_log_append(s->sink, KP_CPU_USER, event, event->size, lost, &s->err);
}

static int write_log(const struct attack *attack, const char *dir, const char *path)
{
	struct kp_log_options options = {.node = "attacker", .codec = KP_CODEC_DELTA_ZSTD};
	struct kp_ev_command command = {.data_len = 7};
	struct kp_ev_record_stats stats = {0};
	struct kp_log_writer *writer = NULL;
	struct synth s;
	int rc;

	memset(&s, 0, sizeof s);
	rc = kp_log_create(dir, &options, &writer, &s.err);
	if (rc < 0) {
		fprintf(stderr, "%s\n", s.err.text);
		return 1;
	}
	s.put = to_log;
	s.sink = writer;
	SYNTH_PUT(&s, command, &command, "attack", 7);
	synth_image(&s, attack->code, (size_t)(attack->code_end - attack->code), path,
		    strlen(path) + 1);
	attack->claim(&s);
	SYNTH_PUT(&s, record_stats, &stats, NULL, 0);
	rc = kp_log_close(writer, &s.err);
	if (s.err.text[0])
		fprintf(stderr, "%s\n", s.err.text);
	return rc < 0 || s.err.text[0];
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		if (argc == 2 && !strcmp(argv[1], "--list"))
			puts(attacks[i].name);
		else if (argc == 4 && !strcmp(argv[1], attacks[i].name))
			return write_log(&attacks[i], argv[2], argv[3]);
	}
	return argc == 2 ? 0 : 2;
}
