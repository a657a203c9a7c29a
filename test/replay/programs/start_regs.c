/* SPDX-License-Identifier: MIT
 * A program whose first instruction looks at a register: it exits with the lowest byte of rax,
 * which exec leaves 0.
 */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "show.h"

#define BASE 0x400000
static const unsigned char code[] = {
	0x89, 0xc7,                   /* mov edi, eax */
	0xb8, 0x3c, 0x00, 0x00, 0x00, /* mov eax, 60: exit */
	0x0f, 0x05,                   /* syscall */
};

struct program {
	Elf64_Ehdr header;
	Elf64_Phdr load;
	unsigned char code[sizeof code];
};

int main(void)
{
	struct program program = {
		.header = {.e_ident = ELFMAG "\2\1\1",
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_entry = BASE + offsetof(struct program, code),
			   .e_phoff = offsetof(struct program, load),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1},
		.load = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = BASE,
			 .p_filesz = sizeof program,
			 .p_memsz = sizeof program,
			 .p_align = 4096},
	};
	int fd = open("tiny", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	memcpy(program.code, code, sizeof code);
	TRY(write(fd, &program, sizeof program));
	close(fd);
	fflush(stdout);
	execl("./tiny", "tiny", NULL);
	return 1;
}
