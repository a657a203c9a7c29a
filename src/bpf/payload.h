/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Capture of a system call's bytes.
 */
#ifndef KP_BPF_PAYLOAD_H
#define KP_BPF_PAYLOAD_H

#include "bpf/emit.h"

/* linux/errno.h: a call that restart_syscall takes up again */
#define ERESTART_RESTARTBLOCK 516

/* As the kernel has it, an error is -4095 to -1. */
static __always_inline bool kp_failed(__s64 ret)
{
	return ret < 0 && ret >= -4095;
}

/*
 * Writes the payloads behind argument i of the call that this CPU's kp_cpu describes (args, ret,
 * cap_*, budget) into the payload ring; sets its `incomplete` when some bytes are missing. Returns
 * 0.
 */
int kp_capture_arg(__u32 i);

#endif
