/* SPDX-License-Identifier: MIT
 *
 * Buffers of system calls that multiplex: for a KP_LEN_COMMAND argument, how many bytes it has and
 * which way they go, by the command. Compiles in BPF programs: no tables, no loops.
 */
#ifndef KPROBE_COMMAND_H
#define KPROBE_COMMAND_H

#include "kprobe/event.h"

/* dir 0: the argument is a number, or its command has no buffer. */
struct kp_command_arg {
	kp_u32 len;
	kp_u8 dir;    /* 1 << KP_DIR_IN or 1 << KP_DIR_OUT */
	kp_u8 refuse; /* the command writes memory in a way that len cannot say, or changes what
			 replay stands on; cannot be replayed if it succeeded */
};

/* In BPF a function that is not inlined cannot return a struct. */
#define KP_CMD_FN static inline __attribute__((always_inline)) struct kp_command_arg

#define KP_CMD_IN(n) ((struct kp_command_arg){(n), 1 << KP_DIR_IN, 0})
#define KP_CMD_OUT(n) ((struct kp_command_arg){(n), 1 << KP_DIR_OUT, 0})
#define KP_CMD_NONE ((struct kp_command_arg){0, 0, 0})
#define KP_CMD_REFUSE ((struct kp_command_arg){0, 0, 1})

/*
 * ioctl numbers that carry neither size nor direction: terminals, files, sockets. All others are
 * asm-generic/ioctl.h's: direction in bits 30 and 31, size in bits 16 to 29.
 */
KP_CMD_FN kp_command_ioctl(kp_u32 request)
{
	switch (request) {
	case 0x5401: /* TCGETS: the kernel's struct termios */
		return KP_CMD_OUT(36);
	case 0x5402: /* TCSETS, W, F */
	case 0x5403:
	case 0x5404:
		return KP_CMD_IN(36);
	case 0x5405: /* TCGETA */
		return KP_CMD_OUT(18);
	case 0x5406: /* TCSETA, W, F */
	case 0x5407:
	case 0x5408:
		return KP_CMD_IN(18);
	case 0x5413: /* TIOCGWINSZ */
		return KP_CMD_OUT(8);
	case 0x5414: /* TIOCSWINSZ */
		return KP_CMD_IN(8);
	case 0x540f: /* TIOCGPGRP */
	case 0x5411: /* TIOCOUTQ */
	case 0x5415: /* TIOCMGET */
	case 0x5419: /* TIOCGSOFTCAR */
	case 0x541b: /* FIONREAD */
	case 0x5424: /* TIOCGETD */
	case 0x5429: /* TIOCGSID */
	case 0x8903: /* FIOGETOWN */
	case 0x8904: /* SIOCGPGRP */
	case 0x8905: /* SIOCATMARK */
		return KP_CMD_OUT(4);
	case 0x5460: /* FIOQSIZE */
		return KP_CMD_OUT(8);
	case 0x5410: /* TIOCSPGRP */
	case 0x5416: /* TIOCMBIS, TIOCMBIC, TIOCMSET */
	case 0x5417:
	case 0x5418:
	case 0x541a: /* TIOCSSOFTCAR */
	case 0x5420: /* TIOCPKT */
	case 0x5421: /* FIONBIO */
	case 0x5423: /* TIOCSETD */
	case 0x5452: /* FIOASYNC */
	case 0x8901: /* FIOSETOWN, SIOCSPGRP */
	case 0x8902:
		return KP_CMD_IN(4);
	case 0x8906: /* SIOCGSTAMP, SIOCGSTAMPNS, old */
	case 0x8907:
		return KP_CMD_OUT(16);
	case 0x8912: /* SIOCGIFCONF: a list behind a pointer */
		return KP_CMD_REFUSE;
	}
	if (request >= 0x8910 && request <= 0x89ff) /* struct ifreq, both ways */
		return KP_CMD_OUT(40);
	if (request >> 31)
		return KP_CMD_OUT(request >> 16 & 0x3fff);
	if (request >> 30)
		return KP_CMD_IN(request >> 16 & 0x3fff);
	return KP_CMD_NONE;
}

KP_CMD_FN kp_command_fcntl(kp_u32 cmd)
{
	switch (cmd) {
	case 5:  /* F_GETLK */
	case 36: /* F_OFD_GETLK */
		return KP_CMD_OUT(32);
	case 6: /* F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW */
	case 7:
	case 37:
	case 38:
		return KP_CMD_IN(32);
	case 16:   /* F_GETOWN_EX */
	case 17:   /* F_GETOWNER_UIDS */
	case 1035: /* F_GET_RW_HINT */
	case 1037: /* F_GET_FILE_RW_HINT */
		return KP_CMD_OUT(8);
	case 15:   /* F_SETOWN_EX */
	case 1036: /* F_SET_RW_HINT */
	case 1038: /* F_SET_FILE_RW_HINT */
		return KP_CMD_IN(8);
	}
	return KP_CMD_NONE;
}

/* Of prctl's second argument. */
KP_CMD_FN kp_command_prctl(kp_u32 option)
{
	switch (option) {
	case 2:  /* PR_GET_PDEATHSIG */
	case 5:  /* PR_GET_UNALIGN */
	case 9:  /* PR_GET_FPEMU */
	case 11: /* PR_GET_FPEXC */
	case 19: /* PR_GET_ENDIAN */
	case 25: /* PR_GET_TSC */
	case 37: /* PR_GET_CHILD_SUBREAPER */
		return KP_CMD_OUT(4);
	case 40: /* PR_GET_TID_ADDRESS */
		return KP_CMD_OUT(8);
	case 16: /* PR_GET_NAME */
		return KP_CMD_OUT(16);
	case 26:         /* PR_SET_TSC: reading the time stamp would fault */
	case 35:         /* PR_SET_MM */
	case 59:         /* PR_SET_SYSCALL_USER_DISPATCH */
	case 62:         /* PR_SCHED_CORE writes behind its fifth argument */
	case 0x41555856: /* PR_GET_AUXV writes as many bytes as its third argument says */
		return KP_CMD_REFUSE;
	}
	return KP_CMD_NONE;
}

KP_CMD_FN kp_command_semctl(kp_u32 cmd)
{
	switch (cmd & ~0x100u) { /* without IPC_64 */
	case 1:                  /* IPC_SET */
		return KP_CMD_IN(104);
	case 2:  /* IPC_STAT */
	case 18: /* SEM_STAT */
	case 20: /* SEM_STAT_ANY */
		return KP_CMD_OUT(104);
	case 3:  /* IPC_INFO */
	case 19: /* SEM_INFO */
		return KP_CMD_OUT(40);
	case 13: /* GETALL: as many numbers as the set has semaphores, which only the kernel knows
		  */
		return KP_CMD_REFUSE;
	}
	return KP_CMD_NONE;
}

/* Of futex's uaddr2. */
KP_CMD_FN kp_command_futex(kp_u32 op)
{
	switch (op & 127) {
	case 5:  /* FUTEX_WAKE_OP */
	case 11: /* FUTEX_WAIT_REQUEUE_PI */
	case 12: /* FUTEX_CMP_REQUEUE_PI */
		return KP_CMD_OUT(4);
	}
	return KP_CMD_NONE;
}

/* Of keyctl's third argument; the fourth is the buffer's length, ret what there is to put there. */
KP_CMD_FN kp_command_keyctl(kp_u32 op, kp_u64 cap, kp_s64 ret)
{
	switch (op) {
	case 6:  /* KEYCTL_DESCRIBE */
	case 11: /* KEYCTL_READ */
	case 17: /* KEYCTL_GET_SECURITY */
		return KP_CMD_OUT((kp_u64)ret < cap ? (kp_u32)ret : (kp_u32)cap);
	case 23: /* KEYCTL_DH_COMPUTE, PKEY_QUERY to VERIFY, CAPABILITIES: buffers elsewhere */
	case 24:
	case 25:
	case 26:
	case 27:
	case 28:
	case 31:
		return KP_CMD_REFUSE;
	}
	return KP_CMD_NONE;
}

/* For the KP_LEN_COMMAND argument of a call of number nr that gave ret. */
KP_CMD_FN kp_command_arg(kp_u32 nr, const kp_u64 *args, kp_s64 ret)
{
	switch (nr) {
	case 16:
		return kp_command_ioctl((kp_u32)args[1]);
	case 72:
		return kp_command_fcntl((kp_u32)args[1]);
	case 157:
		return kp_command_prctl((kp_u32)args[0]);
	case 66:
		return kp_command_semctl((kp_u32)args[2]);
	case 202:
		return kp_command_futex((kp_u32)args[1]);
	case 250:
		return kp_command_keyctl((kp_u32)args[0], args[3], ret);
	}
	return KP_CMD_NONE;
}

#endif
